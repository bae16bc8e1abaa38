"""All that made a result what it is, from the document that was published with it, in the order in which people ask. Pure.

The document is the archive's own and proven by its hash, but it may be of an older or newer station: what is not as expected
is left out, never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_NUMBERS: Final = (
    ("points", "points"), ("inliers", "inliers"), ("inlierRatio", "inlier_ratio"), ("residualPx", "residual_px"),
    ("coverage", "coverage"), ("cornerShiftPx", "corner_shift_px"), ("similarity", "similarity"),
    ("similarityBefore", "similarity_before"), ("visible", "visible"),
)  # fmt: skip
_MADE_BY: Final = (
    ("camera", "camera"), ("frameNumber", "frame_number"), ("triggerNumber", "trigger_number"), ("bundle", "bundle"),
    ("engine", "engine"), ("pixelThreshold", "pixel_threshold"), ("regionCount", "region_count"),
)  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """One step of the judging. start, share: where it begins and how long it takes, of the whole time."""

    name: str
    ms: float
    start: float
    share: float


@dataclass(frozen=True)
class GateTold:
    """A condition that the alignment had to meet."""

    name: str
    value: float | None
    limit: float | None
    kind: str
    passed: bool


@dataclass(frozen=True)
class AlignmentTold:
    """Where the frame lay on the reference. numbers: key -> value."""

    trusted: bool
    mode: str
    start: str
    motion: str
    numbers: tuple[tuple[str, float], ...]
    gates: tuple[GateTold, ...]


@dataclass(frozen=True)
class PartTold:
    """One view's result of a clearance."""

    view: str
    outcome: str
    reason: str
    result_id: str


@dataclass(frozen=True)
class Told:
    """What the document says. made_by: key -> text. share: of the score in the bar, whose end is twice the threshold."""

    reason: str = ""
    detail: str = ""
    simulated: bool = False
    share: float | None = None
    made_by: tuple[tuple[str, str], ...] = ()
    stages: tuple[Stage, ...] = ()
    total_ms: float | None = None
    grabbed_at: str = ""
    alignment: AlignmentTold | None = None
    parts: tuple[PartTold, ...] = ()
    operator: str = ""
    note: str = ""


def told_of(document: Mapping[str, Any]) -> Told:
    """What a result's document says, verdict or clearance."""
    reason = _mapping(document.get("reason"))
    if not reason and _list(document.get("reasons")):
        reason = _mapping(_list(document.get("reasons"))[0])
    stages = _stages(_mapping(_mapping(document.get("processingTimes")).get("stageMs")))
    return Told(
        reason=_text(reason.get("code")),
        detail=_text(reason.get("detail")),
        simulated=document.get("isSimulated") is True,
        share=share_of(number(document.get("score")), number(document.get("threshold"))),
        made_by=tuple((name, text) for key, name in _MADE_BY if (text := _shown(document.get(key)))),
        stages=stages,
        total_ms=sum(stage.ms for stage in stages) if stages else None,
        grabbed_at=_text(_mapping(document.get("processingTimes")).get("startTime")),
        alignment=_alignment(_mapping(document.get("alignment"))),
        parts=tuple(part for view in _list(document.get("views")) for part in _parts(_mapping(view))),
        operator=_text(document.get("operator")),
        note=_text(document.get("note")),
    )


def share_of(score: float | None, threshold: float | None) -> float | None:
    """Where a score stands in a bar in whose middle the threshold is, 0 to 1; None without either."""
    if score is None or threshold is None:
        return None
    reach = abs(threshold) or 1.0
    return min(1.0, max(0.0, (score - (threshold - reach)) / (2 * reach)))


def number(value: object) -> float | None:
    """A finite number, else None."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) else None


def _stages(stage_ms: Mapping[str, Any]) -> tuple[Stage, ...]:
    taken = [(str(name), max(0.0, ms)) for name, value in stage_ms.items() if (ms := number(value)) is not None]
    total = sum(ms for _, ms in taken) or 1.0
    found, start = [], 0.0
    for name, ms in taken:
        found.append(Stage(name[:40], ms, start / total, ms / total))
        start += ms
    return tuple(found)


def _alignment(told: Mapping[str, Any]) -> AlignmentTold | None:
    if not told:
        return None
    gates = tuple(
        GateTold(
            _text(gate.get("name")),
            number(gate.get("value")),
            number(gate.get("limit")),
            _text(gate.get("kind")),
            _passed(gate),
        )
        for gate in map(_mapping, _list(told.get("gates")))
    )
    numbers = tuple((name, value) for key, name in _NUMBERS if (value := number(told.get(key))) is not None)
    trusted = told.get("trusted") is True
    return AlignmentTold(trusted, _text(told.get("mode")), _text(told.get("start")), _text(told.get("motion")), numbers, gates)


def _passed(gate: Mapping[str, Any]) -> bool:
    """As the station says; where it does not, as its numbers do. What cannot be measured has not passed."""
    if isinstance(gate.get("passed"), bool):
        return bool(gate["passed"])
    value, limit = number(gate.get("value")), number(gate.get("limit"))
    if value is None or limit is None:
        return False
    return value >= limit if gate.get("kind") == "min" else value <= limit


def _parts(view: Mapping[str, Any]) -> list[PartTold]:
    name = _text(view.get("view"))
    results = [_mapping(each) for each in _list(view.get("results"))] or [view]
    return [
        PartTold(name, _text(each.get("outcome")), _text(_mapping(each.get("reason")).get("code")), _text(each.get("resultId")))
        for each in results
    ]


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value[:400]
    found = number(value)
    return f"{found:.6g}" if found is not None else ""


def _text(value: object) -> str:
    return value[:2000] if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
