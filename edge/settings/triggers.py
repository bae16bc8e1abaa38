"""When a view is judged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge.schema import Closed


class TriggerSettings(Closed):
    """on_request: only when a clearance asks. continuous: every interval_s. hardware: every frame that the camera sends.

    latency_s: how long after a clearance asks a frame may still show the time before (exposure, transfer, network): frames that
    arrive earlier do not answer it. Left out: 2 for streams, 0.3 for V4L2, 0.2 for a GenICam camera that runs freely, else 0.
    timeout_s: how long a trigger waits for its frame before its verdict is UNDECIDED(frame_timeout). queue_frames: how
    many frames may wait for the judge before the next is UNDECIDED(overrun). max_lost_reported: hardware mode gives one
    UNDECIDED(frame_lost) for each frame that the camera counted and we never saw, at most so many per gap.
    """

    kind: Literal["on_request", "continuous", "hardware"] = "on_request"
    interval_s: float = Field(1.0, gt=0, le=86400)
    timeout_s: float = Field(5.0, gt=0, le=600)
    latency_s: float | None = Field(None, ge=0, le=60)
    queue_frames: int = Field(2, ge=1, le=64)
    max_lost_reported: int = Field(1000, ge=1)
