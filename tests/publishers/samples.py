"""Verdicts, clearances and settings for the tests of the publishers."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.publishers.payloads import EncodedImage
from edge.settings.mqtt import MqttSettings, StationAddress
from edge.types import (
    Alignment,
    Box,
    Clearance,
    ClearanceOutcome,
    Gate,
    Judgement,
    Origin,
    Outcome,
    Reason,
    ReasonCode,
    Region,
    Verdict,
    ViewResult,
)

NOW = datetime(2026, 11, 22, 4, 5, 6, 789_123, tzinfo=timezone.utc)
ADDRESS = StationAddress(site="hamburg", area="packaging", line="line 3", station="north")
ROOT = "lineclear/hamburg/packaging/line 3/north"


def mqtt_settings(port: int, **changes: Any) -> MqttSettings:
    fast: dict[str, Any] = {"reconnect_min_s": 0.02, "reconnect_max_s": 0.2, "drain_s": 10.0}
    return MqttSettings.model_validate({"kind": "mqtt", "host": "127.0.0.1", "port": port, **fast, **changes})


def alignment(**changes: Any) -> Alignment:
    gates = (Gate("inliers", 210.0, 12.0, "min"), Gate("residual_px", 0.4, 1.5, "max"))
    values: dict[str, Any] = {
        "frame_to_reference": np.array([[1.0, 0.001, 2.5], [-0.001, 1.0, -1.25], [0.0, 0.0, 1.0]]),
        "mode": "track",
        "start": "identity",
        "motion": "similarity",
        "points": 240,
        "inliers": 210,
        "residual_px": 0.4,
        "coverage": 0.83,
        "corner_shift_px": 3.1,
        "similarity": 0.97,
        "similarity_before": 0.81,
        "visible": 0.995,
        "gates": gates,
    }
    return Alignment(**{**values, **changes})


def region(peak: float = 9.5) -> Region:
    return Region(Box(10, 20, 30, 40), Box(11, 21, 30, 40), (25.0, 40.0), (26.0, 41.0), 812.0, peak)


def verdict(number: int = 1, view: str = "front", outcome: Outcome = Outcome.FAIL, **changes: Any) -> Verdict:
    reason = Reason(ReasonCode.NOT_REGISTERED, "inliers 4 < 12") if outcome is Outcome.UNDECIDED else None
    regions = (region(),) if outcome is Outcome.FAIL else ()
    decided = Judgement(outcome, reason, 9.5, 4.25, 4.0, regions)
    origin = Origin(
        view, number, number, NOW, "sim-1", "aspirin", "front-aspirin", 3, "variation-0123456789ab", "onnxruntime cpu"
    )
    values: dict[str, Any] = {
        "result_id": f"{view}-{number:08d}",
        "judgement": decided,
        "origin": origin,
        "decided_at": NOW + timedelta(milliseconds=40),
        "alignment": alignment(),
        "stage_ms": {"align": 12.5, "infer": 20.25, "judge": 1.5},
    }
    return Verdict(**{**values, **changes})


def clearance(sequence: int = 7) -> Clearance:
    views = (
        ViewResult("front", Outcome.FAIL, None, (verdict(1), verdict(2))),
        ViewResult("top", Outcome.UNDECIDED, Reason(ReasonCode.CAMERA_LOST, "sim-2 does not answer"), ()),
    )
    return Clearance(
        f"clearance-{sequence}",
        "req-1",
        sequence,
        ClearanceOutcome.NOT_CLEAR,
        "B42",
        "aspirin",
        "Kim",
        views,
        NOW,
        NOW,
        "shift 2",
    )


def picture(height: int = 60, width: int = 80, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def png(height: int = 60, width: int = 80, seed: int = 0) -> EncodedImage:
    return EncodedImage(cv2.imencode(".png", picture(height, width, seed))[1].tobytes(), "image/png")


def password_file(folder: Path, text: str = "station:secret word\n", mode: int = 0o600) -> Path:
    path = folder / "credentials"
    path.write_text(text)
    path.chmod(mode)
    return path
