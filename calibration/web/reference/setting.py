"""What of a view's camera may be set, as it is now, and what would follow from another value. No HTTP."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from edge.cameras.adjustments import Adjusted, Adjustments
from edge.config import StationConfig
from edge.errors import LineclearError
from edge.recipe import Recipe
from edge.settings.adjustable import UNITS, numbers_of, value_problems
from edge.settings.cameras import hash_of_camera, trigger_mode


class NotPossible(LineclearError):
    """A value that may not be set."""


@dataclass(frozen=True)
class Knob:
    """One number of the camera. own: as the config has it; now: as it is set."""

    name: str
    unit: str
    low: float
    high: float
    own: float
    now: float

    @property
    def step(self) -> float:
        """A sensible step for a person: a thousandth of the range, rounded to a power of ten."""
        span = self.high - self.low
        return 10 ** math.floor(math.log10(span / 100)) if span > 0 else 1.0

    @property
    def is_adjusted(self) -> bool:
        """Not as in the config."""
        return self.now != self.own


@dataclass(frozen=True)
class Panel:
    """The view's knobs. adjusted: who set what, when and why, None where all is as in the config. problems: what was set once
    and does not count any more. holds: whether the thresholds hold for what is set now, None where that is not known.
    counts_pulses: what passes while the camera starts again is seen by nobody.
    """

    knobs: tuple[Knob, ...]
    adjusted: Adjusted | None
    problems: tuple[str, ...]
    holds: bool | None
    own_holds: bool | None
    counts_pulses: bool


def panel_of(config: StationConfig, view: str, recipe: Recipe | None) -> Panel:
    """As the state folder has it. config: as it stands in its file."""
    kept, place = Adjustments(config), config.views[view]
    found = kept.read()
    adjusted = found.views.get(view)
    own = numbers_of(place.camera, place.adjustable)
    now = {**own, **(adjusted.values if adjusted is not None else {})}
    knobs = tuple(Knob(name, UNITS[name], low, high, own[name], now[name]) for name, (low, high) in place.adjustable.items())
    running = kept.camera(view, adjusted.values) if adjusted is not None else place.camera
    card = recipe.card if recipe is not None else None
    known = card.hashes.camera if card is not None else None
    problems = tuple(problem for problem in found.problems if problem.startswith(f"{view}:") or "; the cameras" in problem)
    return Panel(
        knobs,
        adjusted,
        problems,
        holds=None if known is None else known == hash_of_camera(running),
        own_holds=None if known is None else known == hash_of_camera(place.camera),
        counts_pulses=trigger_mode(place.camera) == "hardware",
    )


def wanted(config: StationConfig, view: str, given: Mapping[str, str]) -> dict[str, float]:
    """The numbers of a form, checked against the limits. NotPossible says in words what is wrong."""
    place = config.views[view]
    found: dict[str, float] = {}
    for name in place.adjustable:
        text = given.get(name, "").strip().replace(",", ".")
        try:
            found[name] = float(text)
        except ValueError:
            message = f"{name}: {text[:40]!r} is no number"
            raise NotPossible(message, where=view, remedy="write a number, such as 5000") from None
    problems = list(value_problems(place.adjustable, found))
    if problems:
        raise NotPossible("; ".join(problems), where=view, remedy="stay within the limits")
    if not found:
        raise NotPossible("nothing of this camera may be set", where=view, remedy="`adjustable` in the station's config")
    return found
