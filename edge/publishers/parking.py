"""Topics that the broker refuses, held back for a while so that nothing of them overtakes."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Final

_LOG = logging.getLogger(__name__)
_FIRST_S: Final = 30.0
_LONGEST_S: Final = 600.0


@dataclass(frozen=True)
class _Held:
    until_s: float
    wait_s: float
    why: str


class Parking:
    """Outlives connections: some brokers (Mosquitto 2.0.11) refuse a topic and then drop the connection.

    Belongs to the sender's thread, but `reasons` may be read by any.
    """

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self.refusals = 0

    def refuse(self, topic: str, why: str) -> None:
        """Hold the topic: 30 s, and twice as long each time that it is refused again, at most 10 minutes."""
        before = self._held.get(topic)
        if before is None:
            _LOG.error("mqtt_topic_refused topic=%s why=%s", topic, why)
        wait_s = min(before.wait_s * 2, _LONGEST_S) if before else _FIRST_S
        self.refusals += 1
        self._held = {**self._held, topic: _Held(time.monotonic() + wait_s, wait_s, why)}

    def accept(self, topic: str) -> None:
        """The broker took it."""
        if topic in self._held:
            _LOG.info("mqtt_topic_taken topic=%s", topic)
            self._held = {other: held for other, held in self._held.items() if other != topic}

    def held(self) -> set[str]:
        """The topics that must not be tried now."""
        now = time.monotonic()
        return {topic for topic, held in self._held.items() if held.until_s > now}

    @property
    def reasons(self) -> dict[str, str]:
        """Topic -> why, for every topic that was refused and not taken since."""
        return {topic: held.why for topic, held in self._held.items()}
