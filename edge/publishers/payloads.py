"""Verdicts and clearances as the JSON that leaves the station, and the records that carry it. Pure.

Field names borrow from OPC 40100-1 (ResultDataType, ProcessingTimesDataType) where it has a word. Times are ISO 8601 in
UTC with milliseconds, durations milliseconds, lengths reference pixels unless the name says `frame`. A number that is not
finite is null. Schemas: docs/schemas.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from edge.publishers.base import Record, RecordKind
from edge.settings.mqtt import topic_level
from edge.types import (
    Alignment,
    Box,
    ChallengeResult,
    Clearance,
    Judgement,
    Outcome,
    Reason,
    ReasonCode,
    Region,
    Verdict,
    ViewParts,
    ViewResult,
)

RESULT_SCHEMA: Final = "lineclear/result/1"
CLEARANCE_SCHEMA: Final = "lineclear/clearance/1"
IMAGE_SCHEMA: Final = "lineclear/image/1"
MAX_REGIONS: Final = 100
MAX_CLEARANCE_REGIONS: Final = 10
# OPC 40100-1, ResultDataType.resultState: 1 completed, 3 aborted, 4 failed.
_COMPLETED, _ABORTED, _FAILED = 1, 3, 4


@dataclass(frozen=True)
class EncodedImage:
    """A picture as a file's bytes. content_type: image/jpeg or image/png."""

    data: bytes
    content_type: str


def utc_text(moment: datetime) -> str:
    """`2026-11-22T04:05:06.789Z`; ValueError for a time without a zone, because guessing one would be a lie."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def finite(value: float | None) -> float | None:
    """The number as a Python float, None where it is absent, NaN or infinite: JSON knows none of them."""
    return float(value) if value is not None and math.isfinite(value) else None


def verdict_body(verdict: Verdict) -> dict[str, Any]:
    """One verdict as `lineclear/result/1`. At most MAX_REGIONS regions, those with the highest peak; regionCount has all."""
    judgement, origin = verdict.judgement, verdict.origin
    regions = sorted(judgement.regions, key=_worst_first)[:MAX_REGIONS]
    return {
        "schema": RESULT_SCHEMA,
        "resultId": verdict.result_id,
        "view": verdict.view,
        "outcome": verdict.outcome.value,
        "reason": _reason(verdict.reason),
        "resultState": _result_state(judgement),
        "isPartial": len(regions) < len(judgement.regions),
        "isSimulated": origin.is_simulated,
        "jobId": verdict.clearance_id,
        "score": finite(judgement.score),
        "threshold": finite(judgement.threshold),
        "pixelThreshold": finite(judgement.pixel_threshold),
        "regionCount": len(judgement.regions),
        "regions": [region_body(region) for region in regions],
        "alignment": alignment_body(verdict.alignment) if verdict.alignment is not None else None,
        "triggerNumber": origin.trigger,
        "frameNumber": origin.frame,
        "camera": origin.camera,
        "product": origin.product,
        "recipe": origin.recipe,
        "recipeVersion": origin.recipe_version,
        "bundle": origin.bundle,
        "engine": origin.engine,
        "creationTime": utc_text(verdict.decided_at),
        "processingTimes": {
            "startTime": utc_text(origin.grabbed_at) if origin.grabbed_at is not None else None,
            "endTime": utc_text(verdict.decided_at),
            "stageMs": {stage: finite(spent) for stage, spent in verdict.stage_ms.items()},
        },
    }


def clearance_body(clearance: Clearance) -> dict[str, Any]:
    """One clearance as `lineclear/clearance/1`; its verdicts are named by resultId, they were published by themselves."""
    return {
        "schema": CLEARANCE_SCHEMA,
        "resultId": clearance.result_id,
        "requestId": clearance.request_id,
        "sequence": clearance.sequence,
        "outcome": clearance.outcome.value,
        "isSimulated": clearance.is_simulated,
        "batch": clearance.batch,
        "product": clearance.product,
        "operator": clearance.operator,
        "note": clearance.note,
        "previousResultId": clearance.previous,
        "reasons": [_reason(reason) for reason in clearance.reasons],
        "views": [_voted_view(view) for view in clearance.views],
        "station": clearance.speaker.topic,
        "versions": dict(clearance.speaker.versions),
        "configHash": clearance.speaker.config_hash,
        "requestTime": utc_text(clearance.requested_at),
        "creationTime": utc_text(clearance.decided_at),
        "stageMs": {stage: finite(spent) for stage, spent in clearance.stage_ms.items()},
    }


def worst_of(view: ViewResult) -> Verdict | None:
    """The verdict whose regions stand for a view's: of those that failed, the one with the highest score."""
    failed = [verdict for verdict in view.verdicts if verdict.outcome is Outcome.FAIL]
    return max(failed, key=lambda verdict: finite(verdict.judgement.score) or 0.0) if failed else None


def challenge_body(challenge: ChallengeResult) -> dict[str, Any]:
    """What the known frames of one view gave."""
    return {
        "time": utc_text(challenge.at),
        "key": challenge.key,
        "passed": not challenge.failed,
        "images": [
            {
                "file": image.file,
                "sha256": image.sha256,
                "expected": image.expected.value,
                "got": image.got.value,
                "reason": _reason(image.reason),
                "score": finite(image.score),
                "threshold": finite(image.threshold),
            }
            for image in challenge.images
        ],
    }


def _voted_view(view: ViewResult) -> dict[str, Any]:
    worst = worst_of(view)
    found = sorted(worst.judgement.regions, key=_worst_first)[:MAX_CLEARANCE_REGIONS] if worst is not None else []
    release = view.release
    return {
        "view": view.view,
        "outcome": view.outcome.value,
        "reason": _reason(view.reason),
        "results": [_voted_frame(verdict) for verdict in view.verdicts],
        "worstResultId": worst.result_id if worst is not None else None,
        "regions": [region_body(region) for region in found],
        "parts": _parts(view.parts) if view.parts is not None else None,
        "challenge": challenge_body(view.challenge) if view.challenge is not None else None,
        "release": {"who": release.who, "why": release.why, "time": utc_text(release.at), "snapshotId": release.snapshot}
        if release is not None
        else None,
    }


def _voted_frame(verdict: Verdict) -> dict[str, Any]:
    return {
        "resultId": verdict.result_id,
        "outcome": verdict.outcome.value,
        "reason": _reason(verdict.reason),
        "score": finite(verdict.judgement.score),
        "threshold": finite(verdict.judgement.threshold),
        "frameNumber": verdict.origin.frame,
        "creationTime": utc_text(verdict.decided_at),
    }


def _parts(parts: ViewParts) -> dict[str, Any]:
    return {
        "camera": parts.camera,
        "product": parts.product,
        "recipe": parts.recipe,
        "recipeVersion": parts.recipe_version,
        "bundle": parts.bundle,
        "engine": parts.engine,
        "hashes": dict(parts.hashes),
    }


def reduced(body: Mapping[str, Any]) -> dict[str, Any]:
    """A result without its long parts, marked isPartial, for a broker that takes only small messages."""
    small = {key: value for key, value in body.items() if key != "alignment"}
    return {**small, "alignment": None, "regions": [], "isPartial": True} if "regions" in body else dict(body)


def image_meta_body(properties: Mapping[str, str], content_type: str, size_bytes: int, sha256: str) -> dict[str, Any]:
    """What an image message is, as `lineclear/image/1`, from the properties that image_records wrote."""
    return {
        "schema": IMAGE_SCHEMA,
        "resultId": properties.get("result_id", ""),
        "view": properties.get("view", ""),
        "kind": properties.get("kind", ""),
        "contentType": content_type,
        "sizeBytes": size_bytes,
        "sha256": sha256,
    }


def verdict_record(verdict: Verdict) -> Record:
    """The record of `view/{view}/result`."""
    topic = f"view/{topic_level(verdict.view)}/result"
    return Record(RecordKind.VERDICT, topic, verdict_body(verdict), result_id=verdict.result_id)


def clearance_record(clearance: Clearance) -> Record:
    """The record of `clearance/result`."""
    return Record(RecordKind.CLEARANCE, "clearance/result", clearance_body(clearance), result_id=clearance.result_id)


def image_records(verdict: Verdict, images: Mapping[str, EncodedImage]) -> tuple[Record, ...]:
    """The records of `view/{view}/image/{kind}`, one per kind (overlay, frame, ...), tied to the verdict by result_id."""
    return tuple(
        Record(
            RecordKind.IMAGE,
            f"view/{topic_level(verdict.view)}/image/{topic_level(kind)}",
            {},
            result_id=verdict.result_id,
            blob=image.data,
            content_type=image.content_type,
            properties={"result_id": verdict.result_id, "view": verdict.view, "kind": kind},
        )
        for kind, image in images.items()
    )


def _worst_first(region: Region) -> float:
    return -region.peak if math.isfinite(region.peak) else -math.inf


def _result_state(judgement: Judgement) -> int:
    if judgement.outcome is not Outcome.UNDECIDED:
        return _COMPLETED
    return _ABORTED if judgement.reason is not None and judgement.reason.code is ReasonCode.STOPPED else _FAILED


def _reason(reason: Reason | None) -> dict[str, str] | None:
    return {"code": reason.code.value, "detail": reason.detail} if reason is not None else None


def region_body(region: Region) -> dict[str, Any]:
    """One region, in reference and in frame pixels."""
    return {
        "box": _box(region.box),
        "frameBox": _box(region.frame_box),
        "centroid": _numbers(region.centroid),
        "frameCentroid": _numbers(region.frame_centroid),
        "areaPx": finite(region.area_px),
        "peak": finite(region.peak),
    }


def _box(box: Box) -> dict[str, float | None]:
    return {"x": finite(box.x), "y": finite(box.y), "width": finite(box.width), "height": finite(box.height)}


def alignment_body(alignment: Alignment) -> dict[str, Any]:
    """An alignment with every gate, passed or not."""
    return {
        "mode": alignment.mode,
        "start": alignment.start,
        "motion": alignment.motion,
        "trusted": alignment.trusted,
        "points": alignment.points,
        "inliers": alignment.inliers,
        "inlierRatio": finite(alignment.inlier_ratio),
        "residualPx": finite(alignment.residual_px),
        "coverage": finite(alignment.coverage),
        "cornerShiftPx": finite(alignment.corner_shift_px),
        "similarity": finite(alignment.similarity),
        "similarityBefore": finite(alignment.similarity_before),
        "visible": finite(alignment.visible),
        "frameToReference": [_numbers(row) for row in alignment.frame_to_reference.tolist()],
        "gates": [
            {
                "name": gate.name,
                "value": finite(gate.value),
                "limit": finite(gate.limit),
                "kind": gate.kind,
                "passed": gate.passed,
            }
            for gate in alignment.gates
        ],
    }


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [finite(value) for value in values]
