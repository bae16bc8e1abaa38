"""The cards of a view over its versions: history, two side by side, which no longer holds, and one put in force again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calibration.cards import Difference, Entry, diff, history, restore
from calibration.trace import Signature, Trace
from calibration.web.wizard.bench import Bench
from calibration.web.wizard.histogram import Chart, chart
from calibration.web.wizard.state import Finished
from edge.errors import LineclearError, RecipeError
from edge.recipe import ThresholdCard
from edge.recipe.reading import current_version

SHOWN = ("method", "image_threshold", "pixel_threshold", "frames", "false_alarms.bound", "false_alarms.expected",
         "parameters.margin", "parameters.quantile", "parameters.sigma", "parameters.alpha", "parameters.rate",
         "parameters.miss_cost", "parameters.bad_share", "bad.frames", "bad.missed",
         "hashes.bundle", "hashes.reference", "hashes.masks", "hashes.registration", "hashes.score_rule", "hashes.camera",
         "engine.backend", "engine.version", "engine.device", "engine.precision")  # fmt: skip
"""What a person wants to see of a difference; the rest follows from it."""


@dataclass(frozen=True)
class Line:
    """One version in the history. stale: what its card no longer matches as far as the camera's settings tell."""

    entry: Entry
    camera_changed: bool = False


@dataclass(frozen=True)
class Told:
    """One value that differs. key: of `SHOWN`; before, after: as text; change: in percent where both are numbers, else None."""

    key: str
    before: str
    after: str
    change: float | None = None


@dataclass(frozen=True, eq=False)
class Compared:
    """Two cards side by side, with the scores of both on one scale."""

    difference: Difference
    told: tuple[Told, ...]
    before: Chart
    after: Chart


def lines(bench: Bench) -> tuple[Line, ...]:
    """The history, the newest first. RecipeError: there is no recipe."""
    camera = _camera(bench)
    return tuple(Line(entry, _other_camera(entry.card, camera)) for entry in reversed(history(bench.recipe_path)))


def compare_versions(path: Path, before: int, after: int) -> Compared:
    """RecipeError: one of them is not there, or has no card."""
    found = diff(path, before, after)
    told = tuple(
        _told(change.key, change.before, change.after)
        for change in sorted(
            (change for change in found.changes if change.key in SHOWN), key=lambda change: SHOWN.index(change.key)
        )
    )
    one, other = found.before, found.after
    marks = (one.image_threshold, other.image_threshold, *one.scores, *other.scores)
    return Compared(found, told, *(chart(each.scores, _bad(each), marks, (*_bad(one), *_bad(other))) for each in (one, other)))


def roll_back(bench: Bench, version: int, signature: Signature, trace: Trace | None) -> Finished:
    """Put an old version in force again on the disk. Raises RecipeError, ConfigError, and what `trace` raises."""
    if version == current_version(bench.recipe_path):
        raise RecipeError(f"version {version:04d} is in force already", where=bench.view, remedy="choose another one")
    number = restore(bench.recipe_path, version, signature, trace, bench.trust)
    recipe = bench.in_force()
    sha256 = recipe.card.sha256 if recipe.card is not None else "0" * 64
    return Finished(view=bench.view, person=signature.who, why=signature.why, at=bench.desk.now(), version=number, card=sha256)


def _camera(bench: Bench) -> str | None:
    try:
        return bench.camera_hash
    except LineclearError:
        return None


def _other_camera(card: ThresholdCard | None, camera: str | None) -> bool:
    then = card.hashes.camera if card is not None else None
    return then is not None and camera is not None and then != camera


def _bad(card: ThresholdCard) -> tuple[float, ...]:
    return card.bad.scores if card.bad is not None else ()


def _told(key: str, before: object, after: object) -> Told:
    change = None
    numbers = isinstance(before, int | float) and isinstance(after, int | float)
    if numbers and before:
        change = 100 * (float(str(after)) - float(str(before))) / abs(float(str(before)))
    return Told(key, _text(key, before), _text(key, after), change)


def _text(key: str, value: object) -> str:
    if value is None:
        return "–"
    if key.startswith("hashes."):
        return str(value)[:12]
    return f"{value:.4g}" if isinstance(value, float) else str(value)
