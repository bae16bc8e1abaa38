"""Thresholds of a recipe from good frames, on the masked and smoothed map that the station will judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from calibration import methods
from calibration.frames import Measured, Track, measure_folder
from edge.bundle import Bundle
from edge.engines.base import Engine, EngineIdentity
from edge.errors import ConfigError
from edge.recipe import CardEngine, Content, Recipe, ThresholdCard, load_recipe, save
from edge.recipe.document import Person, RecipeFile, Sentence
from edge.recipe.reading import CHALLENGE
from edge.schema import Closed

MAX_REFUSED_SHARE = 0.5
EngineOf = Callable[[Bundle], Engine]
"""Makes the engine of a bundle; it is opened and closed as a context manager."""


class Signature(Closed):
    """Who takes the thresholds, and why; both go on the card."""

    who: Person
    why: Sentence


@dataclass(frozen=True, eq=False)
class Taken:
    """Thresholds that were taken: the card, and the recipe's version that carries it."""

    card: ThresholdCard
    version: int
    measured: Measured


def take_thresholds(
    recipe_path: Path,
    folder: Path,
    method: methods.Method,
    signature: Signature,
    *,
    open_engine: EngineOf,
    track: Track | None = None,
    camera_settings_hash: str | None = None,
) -> Taken:
    """Measure the good frames of a folder and save the recipe with a new card as a new version.

    Raises RecipeError, BundleError, EngineFault, and
    ConfigError for frames that give no thresholds; nothing is written then, nor if `track` cancels.
    """
    recipe = load_recipe(recipe_path)
    with open_engine(recipe.bundle) as engine:
        measured = measure_folder(recipe, engine, folder, track)
        identity = engine.identity
    check_enough(measured, folder)
    card = make_card(recipe, measured, method, signature, identity, camera_settings_hash)
    return Taken(card, _save(recipe, card, signature), measured)


def check_enough(measured: Measured, folder: Path) -> None:
    """ConfigError unless the frames can carry thresholds; it names what stands in the way."""
    where, usable = str(folder), len(measured.scores)
    same = sum("is the same picture as" in why for why in measured.refused.values())
    failed = len(measured.refused) - len(measured.built_model) - same
    first = next(iter(measured.refused.items()), None)
    example = f", first {first[0]}: {first[1]}" if first else ""
    if usable < methods.MIN_FRAMES and measured.built_model:
        names = _listed(measured.built_model)
        message = f"{len(measured.built_model)} images built the model ({names}), {usable} others are usable"
        raise ConfigError(message, where=where, remedy=f"give at least {methods.MIN_FRAMES} good frames that did not")
    if usable == 1 and same == measured.files - 1 and same:
        remedy = "grab frames one after the other, over a shift"
        raise ConfigError(f"all {measured.files} images are the same picture", where=where, remedy=remedy)
    if failed > MAX_REFUSED_SHARE * (usable + failed):
        remedy = "look at them: the camera moved, the reference is another, or they are not of this view"
        raise ConfigError(f"{failed} of {usable + failed} images are refused{example}", where=where, remedy=remedy)
    if usable < methods.MIN_FRAMES:
        message = f"{usable} usable frames of {measured.files} images{example}"
        raise ConfigError(message, where=where, remedy=f"give at least {methods.MIN_FRAMES} good frames")
    if min(measured.scores) == max(measured.scores):
        message = f"all {usable} frames have the same score {measured.scores[0]:g}, so they say nothing of the next"
        raise ConfigError(message, where=where, remedy="look whether the masks leave anything to judge, and at the bundle")


def make_card(
    recipe: Recipe,
    measured: Measured,
    method: methods.Method,
    signature: Signature,
    identity: EngineIdentity,
    camera_settings_hash: str | None = None,
) -> ThresholdCard:
    """The card of these measurements; nothing is written."""
    scores = np.array(measured.scores, np.float64)
    image_level = methods.image_threshold(scores, method)
    in_map_units = recipe.score_rule.kind != "graph"
    order = np.argsort(scores, kind="stable")
    return ThresholdCard.sealed(
        schema=1,
        view=recipe.view,
        method=method.kind,
        parameters=method.parameters(len(scores)),
        image_threshold=image_level,
        pixel_threshold=methods.pixel_threshold(measured.pixels, method, image_level if in_map_units else None),
        frames=len(scores),
        scores=tuple(float(score) for score in scores[order]),
        image=methods.figures(scores),
        pixel=methods.figures(measured.pixels),
        false_alarms=methods.false_alarms(scores, image_level),
        score_rule=recipe.score_rule,
        hashes=recipe.hashes.model_copy(update={"camera": camera_settings_hash}),
        engine=CardEngine(
            backend=identity.backend, version=identity.version, device=identity.device, precision=identity.precision
        ),
        frame_sha256=tuple(measured.sha256[index] for index in order),
        refused=measured.refused,
        who=signature.who,
        when=datetime.now(timezone.utc),
        why=signature.why,
        before=recipe.card.sha256 if recipe.card else None,
    )


def describe(taken: Taken) -> str:
    """The card as a technician reads it."""
    card, count = taken.card, taken.card.frames
    alarms, margin = card.false_alarms, card.parameters.margin
    name = {
        "max": "the highest of",
        "quantile": f"the {card.parameters.quantile} quantile of",
        "sigma": f"mean + {card.parameters.sigma} standard deviations of",
    }[card.method]
    added = f", + {margin:.3g} x spread {methods.spread(np.array(card.scores)):.3g}" if margin else ""
    lines = [f"refused {file}: {why}" for file, why in card.refused.items()]
    lines += [
        f"scores {card.scores[0]:.4g} .. {card.scores[-1]:.4g}, median {card.image.median:.4g}",
        f"image threshold {card.image_threshold:.4g} ({name} {count} scores{added})",
        f"pixel threshold {card.pixel_threshold:.4g}",
        f"expected false alarms: at most {1000 * alarms.expected:.0f} of 1000 good frames "
        f"({100 * alarms.confidence:g} % interval {1000 * alarms.low:.0f} .. {1000 * alarms.high:.0f}"
        f"{', not counting the margin' if margin else ''})",
        f"{count} frames can promise no less than {1000 * alarms.bound:.0f} of 1000; "
        f"{methods.frames_needed(0.01, alarms.confidence)} would promise 10",
        f"card {card.sha256[:12]} in version {taken.version:04d}, taken by {card.who}: {card.why}",
    ]
    return "\n".join(lines) + "\n"


def _save(recipe: Recipe, card: ThresholdCard, signature: Signature) -> int:
    update = {"created_by": signature.who, "created_at": card.when, "why": signature.why, "restored_from": None}
    document = RecipeFile.model_validate({**recipe.document.model_dump(by_alias=True), **update})
    challenge = recipe.folder / CHALLENGE
    kept = challenge if challenge.is_dir() else None
    return save(recipe.path, Content(document, recipe.bundle, recipe.reference, recipe.masks, card, kept))


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
