"""Why the page does not hear the station: a code that the message files have words for, and the technician's detail."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from enum import Enum

from edge.errors import ConfigError, LineclearError
from edge.publishers.broker import BrokerLost


class Why(str, Enum):
    """What keeps the page from its broker. The page has a text `station.link.CODE` for each."""

    OPENING = "opening"
    NO_BROKER = "no_broker"
    SETTINGS = "settings"
    NO_HOST = "no_host"
    NOT_LISTENING = "not_listening"
    NO_ANSWER = "no_answer"
    UNTRUSTED = "untrusted"
    ENCRYPTION = "encryption"
    REFUSED = "refused"
    TAKEN_OVER = "taken_over"
    BROKEN = "broken"
    CLOSED = "closed"


@dataclass(frozen=True)
class Trouble:
    """One reason. detail: what a technician looks for in a log, in English; never a password."""

    why: Why
    detail: str = ""


_BY_CAUSE = (
    (ssl.SSLCertVerificationError, Why.UNTRUSTED),
    (ssl.SSLError, Why.ENCRYPTION),
    (socket.gaierror, Why.NO_HOST),
    (ConnectionRefusedError, Why.NOT_LISTENING),
    (TimeoutError, Why.NO_ANSWER),
)


def trouble_of(error: LineclearError) -> Trouble:
    """What an error of the connection means."""
    detail = str(error)[:500]
    if isinstance(error, ConfigError):
        return Trouble(Why.SETTINGS, detail)
    if isinstance(error, BrokerLost) and error.taken_over:
        return Trouble(Why.TAKEN_OVER, detail)
    for kind, why in _BY_CAUSE:
        if isinstance(error.__cause__, kind):
            return Trouble(why, detail)
    if error.message.startswith("refuses"):
        return Trouble(Why.REFUSED, detail)
    return Trouble(Why.NO_ANSWER if "does not answer" in error.message else Why.BROKEN, detail)
