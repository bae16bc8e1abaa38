"""What a clearance says while it runs, and a clearance read back from what was published. Pure; see payloads.py."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final

from edge.publishers.base import Record, RecordKind
from edge.publishers.payloads import utc_text
from edge.types import (
    Box,
    ChallengeImage,
    ChallengeResult,
    Clearance,
    ClearanceOutcome,
    Origin,
    Outcome,
    Reason,
    ReasonCode,
    Region,
    Release,
    Speaker,
    Verdict,
    ViewParts,
    ViewResult,
)
from edge.verdict import recorded

CLEARANCE_STATE_SCHEMA: Final = "lineclear/clearance-state/1"
CLEARANCE_STATE_TOPIC: Final = "clearance/state"


class ClearancePhase(str, Enum):
    """What the clearances of a station are at. Only `ready` takes a new request; `stopped` is said on a clean stop."""

    READY = "ready"
    FITNESS = "fitness"
    CHALLENGE = "challenge"
    FRAMES = "frames"
    RECORDING = "recording"
    STOPPED = "stopped"


@dataclass(frozen=True)
class ViewProgress:
    """How far one view is: frames that have their verdict, of how many."""

    view: str
    done: int
    total: int


@dataclass(frozen=True)
class ClearanceProgress:
    """Where the running clearance is, or that there is none (`ready`, `stopped`).

    sequence: the last number that was given to a result; the next result has a higher one.
    """

    phase: ClearancePhase
    sequence: int
    request_id: str = ""
    result_id: str = ""
    batch: str = ""
    product: str = ""
    started: datetime | None = None
    views: Sequence[ViewProgress] = field(default=())


def clearance_state_record(progress: ClearanceProgress, now: datetime) -> Record:
    """The retained `clearance/state`: ready for a request, or how far the running one is."""
    body = {
        "schema": CLEARANCE_STATE_SCHEMA,
        "state": progress.phase.value,
        "sequence": progress.sequence,
        "requestId": progress.request_id or None,
        "resultId": progress.result_id or None,
        "batch": progress.batch or None,
        "product": progress.product or None,
        "startTime": utc_text(progress.started) if progress.started is not None else None,
        "views": [{"view": view.view, "framesDone": view.done, "frames": view.total} for view in progress.views],
        "creationTime": utc_text(now),
    }
    return Record(RecordKind.STATE, CLEARANCE_STATE_TOPIC, body, retain=True)


def read_clearance(body: Mapping[str, Any]) -> Clearance:
    """The clearance that `clearance_body` wrote: the same body again, without alignments and stages of its frames.

    KeyError, TypeError or ValueError for anything else.
    """
    return Clearance(
        result_id=body["resultId"],
        request_id=body["requestId"],
        sequence=body["sequence"],
        outcome=ClearanceOutcome(body["outcome"]),
        batch=body["batch"],
        product=body["product"],
        operator=body["operator"],
        views=tuple(_view(view, body) for view in body["views"]),
        requested_at=read_time(body["requestTime"]),
        decided_at=read_time(body["creationTime"]),
        note=body["note"],
        reasons=tuple(reason for reason in map(_reason, body["reasons"]) if reason is not None),
        previous=body["previousResultId"],
        speaker=Speaker(body["station"], dict(body["versions"]), body["configHash"]),
        stage_ms={stage: _number(spent) for stage, spent in body["stageMs"].items()},
    )


def read_challenge(view: str, body: Mapping[str, Any]) -> ChallengeResult:
    """The challenge of one view that `challenge_body` wrote."""
    images = tuple(
        ChallengeImage(
            image["file"],
            image["sha256"],
            Outcome(image["expected"]),
            Outcome(image["got"]),
            _reason(image["reason"]),
            image["score"],
            image["threshold"],
        )
        for image in body["images"]
    )
    return ChallengeResult(view, read_time(body["time"]), body["key"], images)


def read_time(text: str) -> datetime:
    """The moment that `utc_text` wrote, to the millisecond."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))  # Python 3.10 does not know the Z


def _view(view: Mapping[str, Any], body: Mapping[str, Any]) -> ViewResult:
    release, parts, challenge = view["release"], view["parts"], view["challenge"]
    return ViewResult(
        view["view"],
        Outcome(view["outcome"]),
        _reason(view["reason"]),
        tuple(_verdict(result, view, body) for result in view["results"]),
        _parts(parts) if parts is not None else None,
        read_challenge(view["view"], challenge) if challenge is not None else None,
        Release(release["who"], release["why"], read_time(release["time"]), release["snapshotId"]) if release else None,
    )


def _verdict(result: Mapping[str, Any], view: Mapping[str, Any], body: Mapping[str, Any]) -> Verdict:
    regions = view["regions"] if result["resultId"] == view["worstResultId"] else ()
    reason = _reason(result["reason"])
    return Verdict(
        result["resultId"],
        recorded(result["outcome"], reason, result["score"], result["threshold"], [_region(region) for region in regions]),
        Origin(view["view"], 0, result["frameNumber"], None, is_simulated=body["isSimulated"]),
        read_time(result["creationTime"]),
    )


def _parts(parts: Mapping[str, Any]) -> ViewParts:
    return ViewParts(
        parts["camera"],
        parts["product"],
        parts["recipe"],
        parts["recipeVersion"],
        parts["bundle"],
        parts["engine"],
        dict(parts["hashes"]),
    )


def _reason(reason: Mapping[str, Any] | None) -> Reason | None:
    return Reason(ReasonCode(reason["code"]), reason["detail"]) if reason is not None else None


def _region(region: Mapping[str, Any]) -> Region:
    return Region(
        _box(region["box"]),
        _box(region["frameBox"]),
        (_number(region["centroid"][0]), _number(region["centroid"][1])),
        (_number(region["frameCentroid"][0]), _number(region["frameCentroid"][1])),
        _number(region["areaPx"]),
        _number(region["peak"]),
    )


def _box(box: Mapping[str, Any]) -> Box:
    return Box(*(_number(box[side]) for side in ("x", "y", "width", "height")))


def _number(value: float | None) -> float:
    """Null was written for a number that is not finite."""
    return math.nan if value is None else value
