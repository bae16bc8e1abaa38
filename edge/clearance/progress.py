"""How far a clearance is, told to the broker (retained `clearance/state`) and to whoever else listens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from edge.clearance.base import Listener
from edge.errors import OutboxError
from edge.publishers.base import Publisher
from edge.publishers.clearance_payloads import (
    ClearancePhase,
    ClearanceProgress,
    ViewProgress,
    clearance_state_record,
)

log = logging.getLogger(__name__)


class Teller:
    """Says each change once. A broker or a disk that fails stops no clearance: progress is no result."""

    def __init__(self, publisher: Publisher, now: Callable[[], datetime], listener: Listener | None = None) -> None:
        self._publisher = publisher
        self._now = now
        self._listener = listener
        self._said: ClearanceProgress | None = None

    def phase(self, phase: ClearancePhase) -> None:
        """The running clearance does something else now."""
        if self._said is not None:
            self.say(replace(self._said, phase=phase))

    def frames(self, done: Mapping[str, int], each: int) -> None:
        """So many frames of each view have their verdict."""
        if self._said is not None:
            views = tuple(ViewProgress(view, count, each) for view, count in done.items())
            self.say(replace(self._said, phase=ClearancePhase.FRAMES, views=views))

    def say(self, progress: ClearanceProgress) -> None:
        """Say where things are, if that is new."""
        if progress == self._said:
            return
        self._said = progress
        try:
            self._publisher.publish(clearance_state_record(progress, self._now()))
        except OutboxError as error:
            log.warning("clearance_state_not_published why=%s", error)
        if self._listener is not None:
            self._listener(progress)
