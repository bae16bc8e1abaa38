"""Overlays, made beside the judge and never in its way: when there are too many, the oldest waiting picture is dropped."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from edge.errors import OutboxError
from edge.health import Health
from edge.heatmap import encode, overlay
from edge.pipeline import Judged, picture_of
from edge.publishers.base import Publisher
from edge.publishers.payloads import EncodedImage, image_records
from edge.supervision import Pulse
from edge.types import Frame, Outcome, Verdict

log = logging.getLogger(__name__)

IDLE_S = 1.0


@dataclass(frozen=True)
class PictureSettings:
    """Which verdicts get an overlay (all, not_pass, none), in which format, how wide at most, and how many may wait."""

    publish: Literal["all", "not_pass", "none"] = "not_pass"
    format: Literal["jpeg", "png"] = "jpeg"
    max_width: int = 1024
    waiting: int = 8


def kept(frame: Frame) -> Frame:
    """The frame on memory of its own: what lies in the camera's ring must not keep its slot from the camera."""
    image = frame.image
    if image.flags.owndata and not image.flags.writeable:
        return frame
    image = image.copy()
    image.flags.writeable = False
    return replace(frame, image=image)


Sink = Callable[[Verdict, "Frame | None", "Judged | None"], object]


class PictureMaker:
    """Draws and publishes overlays in its own thread."""

    def __init__(self, settings: PictureSettings, publisher: Publisher, health: Health) -> None:
        self._settings = settings
        self._publisher = publisher
        self._health = health
        self._waiting: deque[tuple[Verdict, Frame, Judged | None]] = deque()
        self._wake = threading.Condition()
        self._stopped = False

    def submit(self, verdict: Verdict, frame: Frame | None, judged: Judged | None) -> Frame | None:
        """Queue an overlay of this verdict; never blocks. A frame that is wanted is copied (2 ms for 6 MP), and the copy
        given back for whoever else wants to keep it: else the frame as it came.
        """
        wanted = self._settings.publish == "all" or (
            self._settings.publish == "not_pass" and verdict.outcome is not Outcome.PASS
        )
        if frame is None or not wanted:
            return frame
        frame = kept(frame)
        with self._wake:
            if len(self._waiting) >= self._settings.waiting:
                dropped, _, _ = self._waiting.popleft()
                self._health.event(dropped.view, "overlay_dropped")
            self._waiting.append((verdict, frame, judged))
            self._wake.notify()
        return frame

    def run(self, pulse: Pulse | None = None) -> None:
        """Until stopped and empty. pulse: where it says that it makes progress."""
        pulse = pulse or Pulse("pictures")
        while True:
            pulse.beat()
            with self._wake:
                while not self._waiting and not self._stopped:
                    self._wake.wait(IDLE_S)
                    pulse.beat()
                if not self._waiting:
                    return
                verdict, frame, judged = self._waiting.popleft()
            self._publish(verdict, frame, judged)

    def stop(self) -> None:
        """Finish what waits, then end."""
        with self._wake:
            self._stopped = True
            self._wake.notify()

    def _publish(self, verdict: Verdict, frame: Frame, judged: Judged | None) -> None:
        try:
            title = f"{verdict.view}  {verdict.decided_at:%Y-%m-%d %H:%M:%S} UTC"
            picture = overlay(picture_of(frame.image, verdict.judgement, judged, title), self._settings.max_width)
            encoded = EncodedImage(encode(picture, self._settings.format), f"image/{self._settings.format}")
            self._publisher.publish(*image_records(verdict, {"overlay": encoded}))
        except OutboxError as error:
            self._health.event(verdict.view, "overlay_not_recorded")
            log.warning("overlay_not_recorded view=%s why=%s", verdict.view, error)


def shown(pictures: PictureMaker, evidence: Sink | None) -> Sink:
    """Tells both of each verdict, with one copy of its frame between them."""
    if evidence is None:
        return pictures.submit

    def show(verdict: Verdict, frame: Frame | None, judged: Judged | None) -> None:
        evidence(verdict, pictures.submit(verdict, frame, judged), judged)

    return show
