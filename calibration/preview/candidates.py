"""Cards that are not in force yet."""

from __future__ import annotations

from pathlib import Path

from calibration.methods import Method
from calibration.progress import Progress, silent
from calibration.provenance import camera_of
from calibration.thresholds import EngineOf, Signature, make_card, measure
from edge.recipe import Recipe, ThresholdCard
from edge.schema import read_json, validate

MAX_CARD_BYTES = 50_000_000


def read_card(path: Path) -> ThresholdCard:
    """A card.json. ConfigError: absent, no card, or changed after it was made."""
    return validate(ThresholdCard, read_json(path, MAX_CARD_BYTES), str(path))


def measured_card(
    recipe: Recipe,
    folder: Path,
    method: Method,
    open_engine: EngineOf,
    camera_hash: str | None = None,
    progress: Progress = silent,
    *,
    bad_folder: Path | None = None,
) -> ThresholdCard:
    """A card from good frames, and bad ones where there are any, as `thresholds` takes it; nothing is saved.

    Raises ConfigError for frames that give no thresholds, and EngineFault.
    """
    camera = camera_of(folder, recipe.view, camera_hash)
    found = measure(recipe.path, folder, open_engine=open_engine, progress=progress, bad_folder=bad_folder)
    signature = Signature(who="preview", why="a preview, not saved")
    return make_card(recipe, found.good, method, signature, found.identity, camera, found.bad)
