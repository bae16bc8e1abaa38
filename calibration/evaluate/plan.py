"""What is to be judged with what, checked before any frame is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from calibration.evaluate.configurations import EIGHT, STATION, Configuration
from calibration.evaluate.figures import Asked
from calibration.evaluate.levels import Level, Options, card_level
from calibration.evaluate.looking import tracking
from calibration.evaluate.samples import LabelledFrames, Sample, good_samples, refuse_known
from calibration.recipe import Parts, reference_to_model
from edge.bundle import Bundle
from edge.errors import ConfigError
from edge.recipe import Recipe, stale

__all__ = ["Options", "Plan", "plan_evaluation", "plan_sweep", "with_bundle"]


@dataclass(frozen=True, eq=False)
class Plan:
    """One recipe with one bundle: what to measure it on, in which configurations, and what a reader must know of it."""

    recipe: Recipe
    title: str
    good: tuple[Sample, ...]
    good_source: str
    tests: LabelledFrames
    configurations: tuple[Configuration, ...]
    asked: Asked
    notes: tuple[str, ...]
    picture_bytes: int

    @property
    def frames(self) -> int:
        """How many will be measured."""
        return len(self.good) + len(self.tests.samples)


def plan_evaluation(recipe: Recipe, tests: LabelledFrames, good: Path | None, options: Options) -> Plan:
    """The recipe as the station judges with it: its card's thresholds, and those of `good` frames if they are given.

    ConfigError: neither card nor good frames, or labelled frames that set a threshold or built the model.
    """
    card = recipe.card
    if card is None and good is None:
        remedy = "take thresholds (lineclear-calibrate thresholds), or give good frames with --good"
        raise ConfigError(
            "the recipe has no threshold card, and no good frames are given", where=str(recipe.path), remedy=remedy
        )
    _refuse_model_images(recipe, tests)
    notes: list[str] = []
    fixed: tuple[Level, ...] = ()
    if card is not None:
        fixed = (card_level(card),)
        known = ((digest, "") for digest in card.frame_sha256)
        refuse_known(tests, known, "set the thresholds of the card", "label other frames: these prove nothing")
        if changed := stale(card, recipe):
            notes.append(
                f"The card is stale ({'; '.join(changed)}): the station would answer UNDECIDED until thresholds are taken."
            )
    samples: tuple[Sample, ...] = ()
    source = f"card {card.sha256[:12]}" if card else ""
    if good is not None:
        samples, more = _good(recipe, tests, good)
        notes += more
        source = f"{good} and the card" if card else str(good)
    asked = _asked(recipe, options) if good is not None else replace(_asked(recipe, options), methods=())
    asked = replace(asked, fixed=fixed)
    all_notes = (*notes, *_notes(recipe, tests))
    return Plan(recipe, recipe.bundle.name, samples, source, tests, (STATION,), asked, all_notes, options.picture_bytes)


def plan_sweep(
    recipe: Recipe, tests: LabelledFrames, good: Path, bundles: Sequence[Bundle], options: Options
) -> tuple[Plan, ...]:
    """The recipe in the eight configurations, with each of the bundles (none: its own). Raises ConfigError as above."""
    chosen = tuple(bundles) or (recipe.bundle,)
    names = [bundle.name for bundle in chosen]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{', '.join(twice)} is given twice", where="--bundle", remedy="give each bundle once")
    plans = []
    for bundle in chosen:
        mine = with_bundle(recipe, bundle)
        _refuse_model_images(mine, tests)
        samples, notes = _good(mine, tests, good)
        if recipe.registration.mode == "none":
            notes.append("The recipe registers by `none`; the columns with registration use `track`.")
        if not any(mask.enabled for mask in recipe.masks):
            notes.append("The recipe has no enabled mask: M and NM are the same, and measured once.")
        asked = _asked(mine, options)
        all_notes = (*notes, *_notes(mine, tests))
        share = options.picture_bytes // len(chosen)
        plans.append(Plan(tracking(mine), bundle.name, samples, str(good), tests, EIGHT, asked, all_notes, share))
    return tuple(plans)


def with_bundle(recipe: Recipe, bundle: Bundle) -> Recipe:
    """The recipe with another bundle, registered to the image that this one was built on. RecipeError: another pose."""
    if bundle.content_hash == recipe.bundle.content_hash:
        return recipe
    parts = Parts(view=recipe.view, reference=recipe.folder, bundle=bundle.path, registration=recipe.registration)
    matrix = reference_to_model(recipe.reference, recipe.masks, bundle, parts)
    update = {"bundle": bundle.name, "bundle_hash": bundle.content_hash, "score": None}
    return replace(
        recipe, bundle=bundle, card=None, reference_to_model=matrix, document=recipe.document.model_copy(update=update)
    )


def _good(recipe: Recipe, tests: LabelledFrames, folder: Path) -> tuple[tuple[Sample, ...], list[str]]:
    samples = good_samples(folder)
    remedy = "take thresholds from other frames: a frame that set them proves nothing"
    refuse_known(tests, ((each.sha256, each.name) for each in samples), f"are good frames of {folder} too", remedy)
    built = set(recipe.bundle.manifest.training.sha256)
    kept = tuple(each for each in samples if each.sha256 not in built)
    notes = [f"Thresholds come from {len(kept)} good frames of {folder}, none of which is among the labelled frames."]
    if len(kept) < len(samples):
        notes.append(f"{len(samples) - len(kept)} good frames built the model and were left out.")
    if not kept:
        remedy = "give good frames that did not"
        raise ConfigError(
            f"all {len(samples)} good frames built the model {recipe.bundle.name}", where=str(folder), remedy=remedy
        )
    return kept, notes


def _refuse_model_images(recipe: Recipe, tests: LabelledFrames) -> None:
    built = ((digest, "") for digest in recipe.bundle.manifest.training.sha256)
    refuse_known(tests, built, f"built the model {recipe.bundle.name}", "label other frames: a model knows its own")


def _asked(recipe: Recipe, options: Options) -> Asked:
    in_map_units, has_map = recipe.score_rule.kind != "graph", recipe.bundle.manifest.has_map
    return Asked(options.methods, rounds=options.rounds, in_map_units=in_map_units, has_map=has_map)


def _notes(recipe: Recipe, tests: LabelledFrames) -> list[str]:
    notes: list[str] = []
    manifest = recipe.bundle.manifest
    if not manifest.has_map:
        notes.append("The bundle gives an image score and no map: there are no figures of pixels.")
    if not manifest.masking.pre and manifest.masking.fill == "reference":
        notes.append("Pre-masking shows the model the reference's pixels where masks lie.")
    elif not manifest.masking.pre:
        notes.append(
            f"The model family {manifest.family} takes no mask: pre-masking keeps masked pixels out of the smoothing only."
        )
    if recipe.score_rule.kind == "graph":
        notes.append("The image score is the graph's own: masks that are set aside after the map cannot change it.")
    if not manifest.training.sha256:
        notes.append("The bundle does not say which images built it: whether labelled frames are among them is not known.")
    unknown = sum(each.bad and each.item is not None and not each.item.pixels_known for each in tests.samples)
    if unknown:
        notes.append(f"{unknown} bad frames have no mask: figures of pixels leave them out.")
    return notes + [f"Labels: {problem}" for problem in tests.problems]
