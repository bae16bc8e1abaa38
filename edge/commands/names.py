"""Two stations with one name on the broker: noticed by what the other one says under this station's topics, and alarmed.

Each station says its instance, new at every start, in `health`, every few seconds. What the broker kept from an earlier life is
marked as retained and passed over; what comes in as it is said, and names another instance, comes from another station.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

from edge.publishers.base import Incoming

log = logging.getLogger(__name__)

NAME_ALARM: Final = "station_name_conflict"
INSTANCE_VALUE: Final = "station.instance"
PEACE_S: Final = 120.0
_MAX_BYTES: Final = 256 * 1024


def new_instance() -> str:
    """Identity of one life of a station: 12 hexadecimal digits."""
    return secrets.token_hex(6)


class NameWatch:
    """Hears the station's own `health`. One thread calls `hear`, any may ask for the alarm."""

    def __init__(self, instance: str, topic: str, clock: Callable[[], float] = time.monotonic) -> None:
        """topic: the station's."""
        self._instance = instance
        self._topic = topic
        self._clock = clock
        self._heard: tuple[str, float] | None = None

    def hear(self, message: Incoming) -> None:
        """A message on HEALTH_TOPIC."""
        other = "" if message.retained else _instance_in(message)
        if other not in ("", self._instance):
            if self.alarm is None:
                log.error("station_name_conflict instance=%s topic=%s", other, self._topic)
            self._heard = other, self._clock()

    @property
    def alarm(self) -> str | None:
        """What is wrong, None once the other one has been silent for PEACE_S."""
        heard = self._heard
        if heard is None or self._clock() - heard[1] > PEACE_S:
            return None
        return (
            f"another station (instance {heard[0]}) speaks as {self._topic}: results of two boxes are mixed: give each station "
            f"a name of its own"
        )


def _instance_in(message: Incoming) -> str:
    """The instance that says this, "" where it names none."""
    if not 0 < len(message.payload) <= _MAX_BYTES:
        return ""
    try:
        body: Any = json.loads(message.payload)
        found = body["values"][INSTANCE_VALUE]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return found[:64] if isinstance(found, str) and found.isprintable() else ""
