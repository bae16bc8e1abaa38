"""Can the station talk to its broker? A real connection, made and closed."""

from __future__ import annotations

from edge.publishers.broker import Message, secured
from edge.settings.mqtt import MqttSettings


def probe(settings: MqttSettings, client_id: str) -> None:
    """Connect with the station's own settings under another client id, and leave. Raises ConfigError and BrokerLost.

    The will goes to a topic of its own and is not retained, so that nobody takes the probe for the station.
    """
    connection = secured(settings, client_id, Message(f"{client_id}/probe", b""))
    try:
        connection.open()
    finally:
        connection.close()
