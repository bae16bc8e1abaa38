"""Cards that are not in force yet."""

from __future__ import annotations

from pathlib import Path

from calibration.methods import Method
from calibration.progress import Progress, silent
from calibration.thresholds import EngineOf, Signature, make_card, measure
from edge.recipe import Recipe, ThresholdCard
from edge.schema import read_json, validate

MAX_CARD_BYTES = 50_000_000


def read_card(path: Path) -> ThresholdCard:
    """A card.json. ConfigError: absent, no card, or changed after it was made."""
    return validate(ThresholdCard, read_json(path, MAX_CARD_BYTES), str(path))


def measured_card(
    recipe: Recipe, folder: Path, kind: str, open_engine: EngineOf, camera_hash: str | None = None, progress: Progress = silent
) -> ThresholdCard:
    """A card from good frames by a method with its usual parameters, as `thresholds` takes it; nothing is saved.

    Raises ConfigError for frames that give no thresholds, and EngineFault.
    """
    method = validate(Method, {"kind": kind}, "--method")
    found = measure(recipe.path, folder, open_engine=open_engine, progress=progress)
    signature = Signature(who="preview", why="a preview, not saved")
    return make_card(recipe, found.good, method, signature, found.identity, camera_hash)
