"""What a person wants to know of a recipe at a glance: version, who and why, whether its thresholds hold, the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from pathlib import Path

from calibration.cards import Entry, history
from calibration.web.recipes.places import Place, places, product_in_force
from calibration.web.site import Site
from calibration.web.station.doubts import state_of
from edge.cameras.adjustments import in_force
from edge.errors import LineclearError
from edge.recipe import Recipe, Trust, load_recipe, stale
from edge.recipe.reading import CURRENT
from edge.settings.cameras import hash_of_camera


class CardState(str, Enum):
    """Whether a view can judge with this recipe."""

    HOLDS = "holds"
    STALE = "stale"
    MISSING = "missing"
    BROKEN = "broken"


class ParityState(str, Enum):
    """What is kept of the comparison of engines with the model."""

    NONE = "none"
    PASSED = "passed"
    FAILED = "failed"
    OLD = "old"


@dataclass(frozen=True)
class Standing:
    """One version, proven. why: what its card no longer matches, or what is broken, in the software's words; changed: parts
    of the recipe that it no longer matches, as `recipes.changed.*` words them; has_camera: the card knows the camera.
    """

    card: CardState
    why: tuple[str, ...] = ()
    parity: ParityState = ParityState.NONE
    bundle: str = ""
    frames: int = 0
    masks: int = 0
    has_camera: bool = False
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """One recipe in the list. entry: its version in force on the disk, None if there is none; judging: the version that the
    station judges with now, None where it does not say or it is another product's.
    """

    place: Place
    entry: Entry | None
    standing: Standing
    selected: bool
    judging: int | None
    problem: str = ""

    @property
    def waits(self) -> bool:
        """True if a version was saved that the station does not judge with yet."""
        return self.judging is not None and self.entry is not None and self.judging != self.entry.version


def lines(site: Site, views: Sequence[str]) -> tuple[Line, ...]:
    """The recipes of these views; one that is damaged is in the list and says so."""
    return tuple(line_of(site, place) for view in views for place in places(site, view))


def line_of(site: Site, place: Place) -> Line:
    """One of them."""
    selected = place.product in ("", product_in_force(site))
    told = state_of(site.mirror.now(), place.view) if selected else None
    judging = told.get("recipeVersion") if told is not None else None
    try:
        entry = next(entry for entry in reversed(history(place.path)) if entry.in_force)
    except (LineclearError, StopIteration) as error:
        problem = error.message if isinstance(error, LineclearError) else "the version in force is not there"
        return Line(place, None, Standing(CardState.BROKEN, (problem,)), selected, judging, problem)
    stamp = (place.path / CURRENT).stat().st_mtime_ns
    standing = _standing(place.path, entry.version, stamp, place.view, _camera(site, place.view), site.config.trust is not None)
    return Line(place, entry, standing, selected, judging)


def standing_of(recipe: Recipe, camera: str | None = None) -> Standing:
    """What holds of a loaded recipe on a station whose camera is set so."""
    card = recipe.card
    changed = stale(card, recipe, camera_settings_hash=camera) if card is not None else ()
    state = CardState.MISSING if card is None else (CardState.STALE if changed else CardState.HOLDS)
    return Standing(
        state, changed, _parity(recipe), recipe.bundle.name, card.frames if card is not None else 0,
        sum(mask.enabled for mask in recipe.masks), card is not None and card.hashes.camera is not None,
        _changed(recipe, camera) if changed else (),
    )  # fmt: skip


def _changed(recipe: Recipe, camera: str | None) -> tuple[str, ...]:
    then = recipe.card.hashes.model_dump() if recipe.card is not None else {}
    now = {**recipe.hashes.model_dump(), "camera": camera}
    return tuple(name for name in then if None not in (then[name], now[name]) and then[name] != now[name])


@lru_cache(maxsize=256)
def _standing(path: Path, version: int, stamp: int, view: str, camera: str | None, signed: bool) -> Standing:
    """A version never changes, and to prove one costs reading its model: once is enough."""
    del stamp, signed
    try:
        return standing_of(load_recipe(path, version, view=view), camera)
    except LineclearError as error:
        return Standing(CardState.BROKEN, (error.message,))


def camera_hash(site: Site, view: str) -> str | None:
    """How the camera of a view is set now, as cards remember it; None where that cannot be told."""
    return _camera(site, view)


def trust_of(site: Site) -> Trust | None:
    """Whose signatures count here, None where none are asked for."""
    return Trust.of(site.config.trust)


def moment_of(line: Line) -> datetime | None:
    """When the version in force was made."""
    return line.entry.when if line.entry is not None else None


def _camera(site: Site, view: str) -> str | None:
    try:
        return hash_of_camera(in_force(site.config).views[view].camera)
    except LineclearError:
        return None


def _parity(recipe: Recipe) -> ParityState:
    report = recipe.parity
    if report is None:
        return ParityState.NONE
    if report.bundle_hash != recipe.bundle.content_hash:
        return ParityState.OLD
    if not report.passed:
        return ParityState.FAILED
    card = recipe.card.sha256 if recipe.card is not None else None
    return ParityState.PASSED if any(each.card == card for each in report.comparisons) else ParityState.OLD
