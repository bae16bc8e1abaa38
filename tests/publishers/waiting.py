"""Waiting for a publisher to be in a state."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge.publishers.mqtt import MqttPublisher
from edge.publishers.sender import MqttStatus
from tests.mosquitto import WAIT_S


def wait_for_status(publisher: MqttPublisher, condition: Callable[[MqttStatus], bool]) -> MqttStatus:
    """The status once the condition holds; waits on an Event, which nobody sets, between looks."""
    pause = threading.Event()
    for _ in range(int(WAIT_S / 0.01)):
        if condition(publisher.status):
            return publisher.status
        pause.wait(0.01)
    raise AssertionError(f"the status stayed {publisher.status}")
