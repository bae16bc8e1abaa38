"""Who is told of what comes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from paho.mqtt.client import topic_matches_sub

from edge.publishers.base import Incoming


@dataclass(frozen=True)
class Ears:
    """What is heard: topics relative to the station's root, and who is told, at once and without waiting."""

    topics: tuple[str, ...]
    receive: Callable[[Incoming], None]

    def hear(self, message: Incoming) -> None:
        """Hand it on, if it is for these ears."""
        if any(topic_matches_sub(topic, message.topic) for topic in self.topics):
            self.receive(message)
