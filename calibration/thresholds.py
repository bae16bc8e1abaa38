"""Thresholds of a recipe from its frames, on the masked and smoothed map that the station will judge.

`take_thresholds` = `measure` + `make_card` + save. Whoever wants to see first what a card would do stops before the save.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from calibration import methods
from calibration.frames import Measured, measure_folder, printable, require_bad_images
from calibration.progress import Progress, silent
from calibration.provenance import camera_of
from calibration.trace import Signature, Trace
from edge.bundle import Bundle
from edge.engines.base import Engine, EngineIdentity
from edge.errors import ConfigError, RecipeError
from edge.recipe import CardEngine, Content, Recipe, RecipeFile, ThresholdCard, load_recipe, save
from edge.recipe.card import BadFrames, Optimum

__all__ = ["Measurements", "Signature", "Taken", "make_card", "measure", "measure_recipe", "save_card", "take_thresholds"]

MAX_REFUSED_SHARE = 0.5
EngineOf = Callable[[Bundle], Engine]
"""Makes the engine of a bundle; it is opened and closed as a context manager."""


@dataclass(frozen=True, eq=False)
class Measurements:
    """A recipe's frames, measured on an engine. bad: those of a folder of labelled bad frames, if one was given."""

    recipe: Recipe
    identity: EngineIdentity
    good: Measured
    bad: Measured | None = None


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
    progress: Progress = silent,
    camera_settings_hash: str | None = None,
    bad_folder: Path | None = None,
    trace: Trace | None = None,
) -> Taken:
    """Measure the frames of a folder and save the recipe with a new card as a new version.

    camera_settings_hash: of the station's config; without it, that of the camera that `collect` took the frames from.
    Raises RecipeError, BundleError, EngineFault, ConfigError for frames that give no thresholds, and what `progress` and
    `trace` raise: nothing is written then.
    """
    camera = camera_of(folder, load_recipe(recipe_path).view, camera_settings_hash)
    found = measure(recipe_path, folder, open_engine=open_engine, progress=progress, bad_folder=bad_folder)
    card = make_card(found.recipe, found.good, method, signature, found.identity, camera, found.bad)
    return Taken(card, save_card(found.recipe, card, trace), found.good)


def measure(
    recipe_path: Path,
    folder: Path,
    *,
    open_engine: EngineOf,
    progress: Progress = silent,
    bad_folder: Path | None = None,
) -> Measurements:
    """Measure good frames, and bad ones where there are any; nothing is written. Raises as `take_thresholds`."""
    return measure_recipe(load_recipe(recipe_path), folder, open_engine=open_engine, progress=progress, bad_folder=bad_folder)


def measure_recipe(
    recipe: Recipe,
    folder: Path,
    *,
    open_engine: EngineOf,
    progress: Progress = silent,
    bad_folder: Path | None = None,
) -> Measurements:
    """As `measure`, of a recipe that is loaded: another version than the one in force, or one that is not saved yet."""
    if bad_folder is not None:
        require_bad_images(bad_folder)
    with open_engine(recipe.bundle) as engine:
        good = measure_folder(recipe, engine, folder, progress)
        check_enough(good, folder)
        bad = measure_folder(recipe, engine, bad_folder, progress, keep_pixels=False) if bad_folder else None
        identity = engine.identity
    if bad is not None and bad_folder is not None:
        _check_bad(good, bad, bad_folder)
    return Measurements(recipe, identity, good, bad)


def check_enough(measured: Measured, folder: Path) -> None:
    """ConfigError unless the frames can carry thresholds; it names what stands in the way."""
    where, usable = str(folder), len(measured.scores)
    same = len(measured.repeated)
    failed = len(measured.refused) - len(measured.built_model) - same
    example = _first_refusal(measured)
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
        remedy = f"give at least {methods.MIN_FRAMES} good frames: {methods.MIN_FRAMES - usable} more"
        raise ConfigError(message, where=where, remedy=remedy)
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
    bad: Measured | None = None,
) -> ThresholdCard:
    """The card of these measurements; nothing is written. ConfigError: the method cannot work with these frames."""
    scores = np.array(measured.scores, np.float64)
    bad_scores = None if bad is None else np.array(bad.scores, np.float64)
    in_map_units = recipe.score_rule.kind != "graph"
    levels = methods.take_levels(scores, measured.pixels, method, in_map_units=in_map_units, bad=bad_scores)
    no_map = measured.pixels is None
    order = np.argsort(scores, kind="stable")
    return ThresholdCard.sealed(
        schema=3 if no_map else 2,
        view=recipe.view,
        method=method.kind,
        parameters=method.parameters(len(scores)),
        image_threshold=levels.image,
        pixel_threshold=levels.pixel,
        frames=len(scores),
        scores=tuple(float(score) for score in scores[order]),
        image=methods.figures(scores),
        pixel=None if measured.pixels is None else methods.figures(measured.pixels),
        false_alarms=levels.false_alarms,
        fit=levels.fit,
        bad=None if bad is None else bad_frames(bad, measured, levels.image, method),
        score_rule=recipe.score_rule,
        hashes=recipe.hashes.model_copy(update={"camera": camera_settings_hash}),
        engine=CardEngine(
            backend=identity.backend, version=identity.version, device=identity.device, precision=identity.precision
        ),
        frame_sha256=tuple(measured.sha256[index] for index in order),
        refused=printable(measured.refused),
        who=signature.who,
        when=datetime.now(timezone.utc),
        why=signature.why,
        before=recipe.card.sha256 if recipe.card else None,
    )


def bad_frames(bad: Measured, good: Measured, threshold: float, method: methods.Method) -> BadFrames:
    """What labelled bad frames say of a threshold, and where the optimum between good and bad would be."""
    scores = np.array(bad.scores, np.float64)
    order = np.argsort(scores, kind="stable")
    missed, low, high = methods.missed_share(scores, threshold)
    return BadFrames(
        frames=len(scores),
        scores=tuple(float(score) for score in scores[order]),
        frame_sha256=tuple(bad.sha256[index] for index in order),
        missed=missed,
        low=low,
        high=high,
        optimum=optimum_or_none(good, bad, method),
        refused=printable(bad.refused),
    )


def optimum_or_none(good: Measured, bad: Measured, method: methods.Method) -> Optimum | None:
    """The cost-weighted optimum; None where the frames are too few or their scores do not tell good from bad."""
    try:
        return methods.cost_optimum(np.array(good.scores), np.array(bad.scores), method)
    except ConfigError:
        return None


def save_card(recipe: Recipe, card: ThresholdCard, trace: Trace | None = None) -> int:
    """Save the recipe with this card as a new version and put it in force; its number.

    RecipeError: it cannot be written, or another version was put in force since `recipe` was loaded, whose masks or
    reference would be undone without a word. ConfigError: the recipe is a signed one, and there is no key to sign the new
    version with. trace: told before the version is in force; what it raises stops it.
    """
    if recipe.trust is not None:
        recipe.trust.need_signer()
    now = load_recipe(recipe.path).version
    if now != recipe.version:
        message = f"version {now:04d} was put in force while the thresholds of {recipe.version:04d} were taken"
        raise RecipeError(message, where=str(recipe.path), remedy="nothing was saved: take the thresholds again")
    if trace is not None:
        trace("thresholds", str(recipe.path), card.who, card.why, essentials(recipe.card), essentials(card))
    update = {"created_by": card.who, "created_at": card.when, "why": card.why, "restored_from": None}
    document = RecipeFile.model_validate({**recipe.document.model_dump(by_alias=True), **update})
    challenge = recipe.folder / "challenge"
    kept = challenge if challenge.is_dir() else None
    content = Content(document, recipe.bundle, recipe.reference, recipe.masks, card, kept)
    return save(recipe.path, content, expected=recipe.version, trust=recipe.trust)


def essentials(card: ThresholdCard | None) -> dict[str, object]:
    """What the trace of a change keeps of a card; empty for none."""
    if card is None:
        return {}
    return {
        "card": card.sha256,
        "method": card.method,
        "parameters": card.parameters.model_dump(mode="json"),
        "image_threshold": card.image_threshold,
        "pixel_threshold": card.pixel_threshold,
        "frames": card.frames,
    }


def _check_bad(good: Measured, bad: Measured, folder: Path) -> None:
    if not bad.scores:
        message = f"none of {bad.files} images is usable{_first_refusal(bad)}"
        raise ConfigError(message, where=str(folder), remedy="give bad frames of this view that register")
    names = dict(zip(good.pictures, good.names, strict=True))
    both = [name for name, picture in zip(bad.names, bad.pictures, strict=True) if picture in names]
    if both:
        message = f"{len(both)} images are among the good frames too ({_listed(tuple(both))})"
        raise ConfigError(message, where=str(folder), remedy="a frame is good or bad: take it out of one of the folders")


def _first_refusal(measured: Measured) -> str:
    first = next(iter(measured.refused.items()), None)
    return f", first {first[0]}: {first[1]}" if first else ""


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
