"""The pictures that a snapshot asks for: the frame as it was grabbed, and the overlay; beside the judge, never in its way."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import Literal

from edge.commands.lanes import Lane
from edge.commands.looking import image_topics
from edge.errors import OutboxError
from edge.heatmap import encode, overlay
from edge.pipeline import Judged, picture_of
from edge.publishers.base import Publisher
from edge.publishers.payloads import EncodedImage, image_records
from edge.types import Frame, ImageU8, Outcome, Verdict

log = logging.getLogger(__name__)

_WAITING = 8
_HELD = 4


@dataclass(frozen=True, eq=False)
class _Held:
    """A verdict with its frame, which may be the one that is wanted."""

    verdict: Verdict
    image: ImageU8
    judged: Judged | None


class SnapshotPictures:
    """A picture sink of the station (verdict, frame, judged), which does something only for verdicts that were wanted.

    overlays: which overlays the station publishes anyway. max_width: of the overlay, pixels; the frame keeps its size, and
    is re-encoded where it is larger than the broker or `image_cap_bytes` takes.
    """

    def __init__(self, publisher: Publisher, overlays: Literal["all", "not_pass", "none"], max_width: int) -> None:
        self._publisher = publisher
        self._overlays = overlays
        self._max_width = max_width
        self._lock = threading.Lock()
        self._expected: dict[str, int] = {}
        self._wanted: OrderedDict[str, None] = OrderedDict()
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lane = Lane("snapshots", _WAITING)

    def expect(self, view: str) -> None:
        """Keep the frames of this view until `want` says which it is: the verdict may be faster than who asked for it."""
        with self._lock:
            self._expected[view] = self._expected.get(view, 0) + 1

    def want(self, result_id: str, view: str) -> tuple[str, ...]:
        """Publish the pictures of this verdict; the topics on which they follow. Never blocks."""
        with self._lock:
            held = self._held.pop(result_id, None)
            self._expected[view] = max(0, self._expected.get(view, 0) - 1)
            if not self._expected[view]:
                for other in [name for name, kept in self._held.items() if kept.verdict.view == view]:
                    del self._held[other]
            if held is None:
                self._wanted[result_id] = None
                while len(self._wanted) > _WAITING:
                    self._wanted.popitem(last=False)
        if held is not None:
            self._offer(held)
        return image_topics(view, ("frame", "overlay"))

    def submit(self, verdict: Verdict, frame: Frame | None, judged: Judged | None) -> None:
        """Told each verdict with its frame, in the judge's thread; never blocks. A frame that is wanted is copied."""
        with self._lock:
            wanted = verdict.result_id in self._wanted
            if frame is None or not (wanted or self._expected.get(verdict.view)):
                return
            held = _Held(verdict, frame.image.copy(), judged)
            if wanted:
                del self._wanted[verdict.result_id]
            else:
                self._held[verdict.result_id] = held
                while len(self._held) > _HELD:
                    self._held.popitem(last=False)
        if wanted:
            self._offer(held)

    def close(self) -> None:
        """Finish what is being painted."""
        self._lane.close(5.0)

    def _offer(self, held: _Held) -> None:
        if not self._lane.offer(partial(self._publish, held.verdict, held.image, held.judged)):
            log.warning("snapshot_not_painted view=%s result_id=%s", held.verdict.view, held.verdict.result_id)

    def _publish(self, verdict: Verdict, image: ImageU8, judged: Judged | None) -> None:
        images = {"frame": EncodedImage(encode(image, "jpeg"), "image/jpeg")}
        done = self._overlays == "all" or (self._overlays == "not_pass" and verdict.outcome is not Outcome.PASS)
        if not done:
            title = f"{verdict.view}  {verdict.decided_at:%Y-%m-%d %H:%M:%S} UTC"
            painted = overlay(picture_of(image, verdict.judgement, judged, title), self._max_width)
            images["overlay"] = EncodedImage(encode(painted, "jpeg"), "image/jpeg")
        try:
            self._publisher.publish(*image_records(verdict, images))
        except OutboxError as error:
            log.warning("snapshot_not_recorded view=%s why=%s", verdict.view, error)
