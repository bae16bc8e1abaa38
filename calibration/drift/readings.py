"""What drift looks at: one reading per frame, wherever it came from, and the days or groups they fall into."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import numpy as np

from edge.types import Homography, Outcome

_REFUSED = "not_registered"


@dataclass(frozen=True)
class Reading:
    """One frame. score: None where it was not judged. shift_xy: where the middle of the picture went, reference pixels.

    corner_px: largest shift of a corner; gate_px: the registration's limit for it. registered: False where a gate broke,
    None where registration was not reached. sharpness, brightness, contrast: against the reference, None without a frame.
    """

    name: str
    at: datetime | None
    score: float | None = None
    outcome: str = ""
    registered: bool | None = None
    shift_xy: tuple[float, float] | None = None
    corner_px: float | None = None
    gate_px: float | None = None
    similarity: float | None = None
    sharpness: float | None = None
    brightness: float | None = None
    contrast: float | None = None


@dataclass(frozen=True)
class Span:
    """From when on results count, and how many frames in a row make a group where nothing says when they were taken."""

    since: datetime | None = None
    per_group: int = 10


@dataclass(frozen=True)
class Group:
    """The readings of one day, or of so many frames in a row where nothing says when they were taken."""

    label: str
    readings: tuple[Reading, ...]

    @property
    def scores(self) -> tuple[float, ...]:
        """Of the frames that were judged."""
        return tuple(reading.score for reading in self.readings if reading.score is not None)


@dataclass(frozen=True)
class Readings:
    """All readings in time order. left_out: how many results could not be used, by reason. unit: "day" or "group".

    complete: every judged frame is here. False for an archive, which keeps a sample of the PASS frames and every FAIL:
    then only the scores of PASS frames can be held against the card's.
    """

    items: tuple[Reading, ...]
    left_out: dict[str, int] = field(default_factory=dict)
    complete: bool = True
    per_group: int = 10

    @property
    def unit(self) -> str:
        """What the groups are."""
        return "day" if self.items and all(item.at is not None for item in self.items) else "group"

    def groups(self) -> tuple[Group, ...]:
        """By day in UTC; without times by `per_group` frames in a row."""
        if self.unit == "group":
            parts = [self.items[start : start + self.per_group] for start in range(0, len(self.items), self.per_group)]
            return tuple(Group(f"{number}", part) for number, part in enumerate(parts, 1))
        days: dict[str, list[Reading]] = {}
        for item in self.items:
            if item.at is not None:
                days.setdefault(item.at.astimezone(timezone.utc).date().isoformat(), []).append(item)
        return tuple(Group(day, tuple(readings)) for day, readings in sorted(days.items()))


def in_order(items: Iterable[Reading]) -> tuple[Reading, ...]:
    """By time where all have one; else as they came."""
    listed = tuple(items)
    if any(item.at is None for item in listed):
        return listed
    return tuple(sorted(listed, key=lambda item: item.at or datetime.min.replace(tzinfo=timezone.utc)))


def from_document(document: dict[str, Any], reference_wh: tuple[int, int]) -> Reading:
    """A reading from a `lineclear/result/1` body from outside: every number is checked. ValueError if it is none."""
    try:
        at = datetime.fromisoformat(str(document["creationTime"]).replace("Z", "+00:00"))
        if at.tzinfo is None:
            raise ValueError(f"creationTime {at} has no time zone")
        outcome, reason = str(document["outcome"]), document.get("reason") or {}
        alignment = document.get("alignment")
        known = _number(document.get("score"))
        matrix = None if alignment is None else np.array(alignment["frameToReference"], np.float64)
        found = {} if alignment is None else dict(alignment)
        gates = {str(gate["name"]): _number(gate["limit"]) for gate in found.get("gates", ())}
        corner_px, similarity = _number(found.get("cornerShiftPx")), _number(found.get("similarity"))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"is no lineclear/result/1 ({error})") from None
    judged = outcome in (Outcome.PASS.value, Outcome.FAIL.value) or known is not None
    trusted = None if alignment is None else bool(found.get("trusted"))
    shift = None if matrix is None or not trusted or matrix.shape != (3, 3) else _finite_shift(matrix, reference_wh)
    return Reading(
        name=str(document.get("resultId", "")),
        at=at,
        score=known if judged else None,
        outcome=outcome,
        registered=False if isinstance(reason, dict) and reason.get("code") == _REFUSED else trusted,
        shift_xy=shift,
        corner_px=corner_px if shift else None,
        gate_px=gates.get("shift_px"),
        similarity=similarity if shift else None,
    )


def _number(value: Any) -> float | None:
    """A finite number, or None. TypeError and ValueError for what is no number."""
    if value is None:
        return None
    if isinstance(value, (str, bool)):
        raise ValueError(f"{value!r} is no number")
    number = float(value)
    return number if math.isfinite(number) else None


def _finite_shift(matrix: Homography, size_wh: tuple[int, int]) -> tuple[float, float] | None:
    with np.errstate(all="ignore"):
        shift = shift_of(matrix, size_wh)
    return shift if all(map(math.isfinite, shift)) else None


def shift_of(frame_to_reference: Homography, size_wh: tuple[int, int]) -> tuple[float, float]:
    """Where the middle of the frame goes, less where it was: reference pixels, x right, y down."""
    middle = np.array([(size_wh[0] - 1) / 2, (size_wh[1] - 1) / 2, 1.0])
    x, y, depth = frame_to_reference @ middle
    return float(x / depth - middle[0]), float(y / depth - middle[1])


def values_of(readings: Sequence[Reading], name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """One field of all readings, float64, NaN where it is absent."""
    return np.array([math.nan if (value := getattr(item, name)) is None else value for item in readings], np.float64)
