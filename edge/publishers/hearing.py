"""Who is told of what comes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paho.mqtt.client import topic_matches_sub

from edge.errors import ConfigError
from edge.publishers.base import Incoming


@dataclass(frozen=True)
class Ears:
    """What is heard: topics relative to the station's root, and who is told, at once and without waiting.

    ConfigError for topics that no broker takes: found here, and not later by the thread that keeps the connection.
    """

    topics: tuple[str, ...]
    receive: Callable[[Incoming], None]

    def __post_init__(self) -> None:
        for topic in self.topics:
            why = _why_not(topic)
            if why:
                remedy = "write levels with / between them; + stands for one whole level, # for all the rest"
                raise ConfigError(f"{topic!r} cannot be listened to: {why}", where="topics", remedy=remedy)

    @classmethod
    def of(cls, topics: Sequence[str], receive: Callable[[Incoming], None]) -> Ears:
        """Topics as they were named; a lone text is no list of topics, though Python would take it letter by letter."""
        return cls((topics,) if isinstance(topics, str) else tuple(topics), receive)

    def hear(self, message: Incoming) -> None:
        """Hand it on, if it is for these ears."""
        if any(topic_matches_sub(topic, message.topic) for topic in self.topics):
            self.receive(message)


def _why_not(topic: object) -> str:
    """MQTT 5, 4.7: what makes it no topic filter; empty if it is one."""
    if not isinstance(topic, str):
        return f"it is no text but {type(topic).__name__}"
    if not topic:
        return "it is empty"
    if "\0" in topic or any(0xD800 <= ord(character) < 0xE000 for character in topic):
        return "it contains a character that MQTT forbids"
    *inner, last = topic.split("/")
    if "#" in inner or any(len(level) > 1 and ("+" in level or "#" in level) for level in (*inner, last)):
        return "+ and # stand alone in their level, and # only in the last"
    return ""
