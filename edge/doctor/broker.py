"""The broker: is it there, is it who it says, may the station say and hear what it must."""

from __future__ import annotations

import json
import logging
import ssl
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from edge.doctor.certificates import pem_validities, validity
from edge.doctor.check import Case, Check, fail, ok, skip, warn
from edge.doctor.limits import CERTIFICATE
from edge.errors import LineclearError
from edge.publishers.base import Incoming
from edge.publishers.broker import BrokerConnection, BrokerLost, Message
from edge.publishers.security import read_credentials, tls_context
from edge.settings.mqtt import MqttSettings

ANSWER_S: Final = 2.0
QUIET_S: Final = 0.3
_MEND: Final = "mend the config (the line `config` says what), then restart"
CLIENT: Final = "lineclear-doctor"
"""Nobody is this client of commands: what is said to it reaches nobody."""


@dataclass
class Heard:
    """What a short visit at the broker showed. refused: topic -> why. certificate: of the broker, DER."""

    certificate: bytes = b""
    refused: dict[str, str] = field(default_factory=dict)
    unheard: dict[str, str] = field(default_factory=dict)
    retained: dict[str, Any] = field(default_factory=dict)


class _Visit(BrokerConnection):
    """Knows which subscription was refused, and shows the broker's certificate."""

    granted: list[str] | None = None

    def _on_subscribe(self, _client: object, _data: object, _number: int, reasons: list[Any], _: object) -> None:
        self.granted = [str(reason) if reason.is_failure else "" for reason in reasons]

    def certificate(self) -> bytes:
        """DER; empty without TLS."""
        link = self._client.socket()
        return (link.getpeercert(binary_form=True) or b"") if isinstance(link, ssl.SSLSocket) else b""


def broker(case: Case) -> Iterator[Check]:
    """A real connection with the station's own settings under another client id; what it may, what is known of it there."""
    assert case.config is not None  # noqa: S101
    settings = case.config.publisher
    if not isinstance(settings, MqttSettings):
        yield skip("broker", "the config names none (publisher: kind: memory)")
        return
    yield from _own_certificates(case, settings)
    try:
        with _Quiet():
            heard, tells = _visit(case, settings)
    except (LineclearError, OSError) as error:
        yield _refused(settings, error)
        return
    detail = f"{settings.host}:{settings.effective_port}, MQTT {settings.protocol}" + (", TLS" if settings.tls else ", no TLS")
    if settings.credentials_file and not settings.tls and settings.host not in ("localhost", "127.0.0.1", "::1"):
        yield warn("broker", f"{detail}: the password travels in clear", "add tls to the publisher")
    else:
        yield ok("broker", detail)
    if heard.certificate:
        yield _ends("broker certificate", "the broker's", [validity(heard.certificate).days_left(case.now)])
    yield from _rights(case, heard, tells)
    yield from _known(case, heard)


def _visit(case: Case, settings: MqttSettings) -> tuple[Heard, bool]:
    """What was heard, and whether the broker says what it refuses: only in MQTT 5 it can."""
    assert case.config is not None  # noqa: S101
    address = case.config.station
    with _Visits(settings, address.client_id) as visit:
        heard = visit.look(address.topic)
    views = (f"view/{view}/doctor" for view in case.config.views)
    topics = deque((f"reply/{CLIENT}", "alarm/doctor", "clearance/doctor", *views))
    talkative = settings.model_copy(update={"protocol": "5"})
    while topics:
        try:
            with _Visits(talkative, address.client_id) as visit:
                visit.try_rights(heard, address.topic, topics)
        except BrokerLost:  # MQTT 5 is not spoken here, or it went in the middle
            return heard, False
    return heard, True


class _Visits:
    """One connection while it is entered. Its will is not retained, on a topic of its own: it is not the station's."""

    def __init__(self, settings: MqttSettings, client_id: str) -> None:
        credentials = read_credentials(settings.credentials_file) if settings.credentials_file else None
        tls = tls_context(settings.tls) if settings.tls else None
        name = f"{settings.client_id or client_id}-doctor"
        self._link = _Visit(settings, name, Message(f"{name}/probe", b""), credentials, tls)

    def __enter__(self) -> _Visits:
        self._link.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()

    def look(self, root: str) -> Heard:
        """What the broker keeps of this station, and whether it lets commands be heard."""
        heard = Heard(certificate=self._link.certificate())
        for topic in (f"{root}/cmd/+", f"{root}/state", f"{root}/health", f"{root}/alarm/+"):
            why = self._subscribe(topic)
            if why:
                heard.unheard[topic.removeprefix(f"{root}/")] = why
        for message in self._listen():
            name = message.topic.removeprefix(f"{root}/")
            with suppress(ValueError, RecursionError):
                if message.retained and not name.startswith("cmd/"):
                    heard.retained[name] = json.loads(message.payload)
        return heard

    def try_rights(self, heard: Heard, root: str, topics: deque[str]) -> None:
        """Empty messages, not retained, where nobody listens: a reply to nobody, an alarm that there is not. Takes from
        `topics` what was tried; some brokers close the connection after what they refuse.
        """
        while topics:
            topic = topics.popleft()
            self._link.send(Message(f"{root}/{topic}", b""))
            try:
                answers = self._answered()
            except BrokerLost:
                heard.refused.setdefault(topic, "it closes the connection")
                return
            if any(answers):
                heard.refused[topic] = next(filter(None, answers))
                return

    def _answered(self) -> list[str]:
        """Why what was sent is refused, an empty text for each that is not; nothing if the broker does not answer."""
        deadline_s = time.monotonic() + ANSWER_S
        while (left_s := deadline_s - time.monotonic()) > 0:
            if answers := self._link.step(left_s):
                return [answer.refusal for answer in answers]
        return []

    def _subscribe(self, topic: str) -> str:
        self._link.granted = None
        self._link.subscribe((topic,))
        deadline_s = time.monotonic() + ANSWER_S
        while self._link.granted is None and (left_s := deadline_s - time.monotonic()) > 0:
            self._link.step(left_s)
        return "no answer" if self._link.granted is None else next(filter(None, self._link.granted), "")

    def _listen(self) -> list[Incoming]:
        found: list[Incoming] = []
        quiet_s = time.monotonic() + QUIET_S
        ends_s = time.monotonic() + ANSWER_S
        while (now_s := time.monotonic()) < min(quiet_s, ends_s):
            self._link.step(min(quiet_s, ends_s) - now_s)
            if arrived := self._link.received():
                found += arrived
                quiet_s = time.monotonic() + QUIET_S
        return found


def _rights(case: Case, heard: Heard, tells: bool) -> Iterator[Check]:
    assert case.config is not None  # noqa: S101
    remedy = "see the broker's access list (configs/mosquitto/acl has what a station needs)"
    if "cmd/+" in heard.unheard and case.config.commands.enabled:
        yield fail("broker rights", f"the station may not hear cmd/+ ({heard.unheard['cmd/+']})", remedy)
    if not tells and not heard.refused:
        yield skip("broker rights", "this broker speaks MQTT 3.1.1 alone, which does not say what it forbids")
    elif heard.refused:
        what = ", ".join(f"{topic} ({why})" for topic, why in heard.refused.items())
        sure = any(topic.startswith(("reply/", "alarm/")) for topic in heard.refused)
        yield (fail if sure else warn)("broker rights", f"the station may not say {what}", remedy)
    elif "cmd/+" not in heard.unheard:
        yield ok("broker rights", "it may say replies, alarms, clearances and results, and hear commands")


def _known(case: Case, heard: Heard) -> Iterator[Check]:
    """What the broker keeps of this station: its own last words, or another's under the same name."""
    state = heard.retained.get("state")
    alarms = [body for name, body in heard.retained.items() if name.startswith("alarm/") and isinstance(body, dict)]
    health = heard.retained.get("health")
    if isinstance(state, dict):
        yield _state(state)
    elif isinstance(health, dict):
        yield _alive(case, health)
    else:
        yield skip("station", "the broker keeps neither its state nor its health: it never ran, or may not read them")
    for body in alarms[:10]:
        yield warn(
            "alarm",
            f"{body.get('code', '?')}: {body.get('text', '?')}"[:300],
            "it is raised now: docs/mqtt.md lists the alarms",
        )
    yield from _frames(case, health)


def _state(state: dict[str, Any]) -> Check:
    status, reason = str(state.get("status", "?")), str(state.get("reason", ""))
    detail = f"{status} since {state['creationTime']}" if "creationTime" in state else status
    detail += f", {reason}" if reason else ""
    views = state.get("views")
    views = views if isinstance(views, list) else []
    why = [f"{view.get('view')}: {view.get('reason')}" for view in views if isinstance(view, dict) and not view.get("ready")]
    if status == "safe_mode":
        return fail("station", f"{detail}: nothing is judged", _MEND)
    if status == "offline" and reason != "stopped":
        return warn("station", detail, "the station died or lost the network: is it running?")
    if why:
        return warn("station", f"{detail}; {'; '.join(why)}", "its views say what they wait for")
    return ok("station", detail)


def _alive(case: Case, health: dict[str, Any]) -> Check:
    """Where its access list lets the station read its health alone."""
    values = health.get("values")
    at = str(health.get("creationTime", ""))
    if isinstance(values, dict) and values.get("station.safe_mode") is True:
        return fail("station", f"safe mode at {at}: nothing is judged", _MEND)
    try:
        age_s = (case.now - datetime.fromisoformat(at.replace("Z", "+00:00"))).total_seconds()
    except (ValueError, TypeError):
        return skip("station", "its health says no time")
    assert case.config is not None  # noqa: S101
    if age_s > 60 + 3 * case.config.health.interval_s:
        return warn("station", f"it last said how it is at {at}", "is it running, and connected?")
    return ok("station", f"it said how it is {max(0.0, age_s):.0f} s ago")


def _frames(case: Case, health: Any) -> Iterator[Check]:
    """What the running station counted: frames that its cameras lost or sent in pieces."""
    from edge.doctor.frames import frames

    assert case.config is not None  # noqa: S101
    values = health.get("values") if isinstance(health, dict) else None
    yield from frames(tuple(case.config.views), values if isinstance(values, dict) else None)


def _own_certificates(case: Case, settings: MqttSettings) -> Iterator[Check]:
    tls = settings.tls
    for name, file in (("station certificate", tls.cert_file), ("authority", tls.ca_file)) if tls is not None else ():
        if file is not None and file.is_file():
            try:
                found = pem_validities(Path(file).read_text("ascii", "replace"))
            except (OSError, ValueError) as error:
                yield warn(name, f"{file}: cannot be read ({error})", "a PEM file that the station's user may read")
                continue
            if found:
                yield _ends(name, str(file), [each.days_left(case.now) for each in found])


def _ends(name: str, what: str, days_left: Sequence[float]) -> Check:
    left = min(days_left)
    if left < 0:
        return fail(name, f"{what} ended {-left:.0f} days ago", "have a new one signed, or set the clock right")
    detail = f"{what} holds {left:.0f} days more"
    return warn(name, detail, "have a new one signed now") if left < CERTIFICATE.value else ok(name, detail)


def _refused(settings: MqttSettings, error: LineclearError | OSError) -> Check:
    where = f"{settings.host}:{settings.effective_port}"
    if isinstance(error, OSError):
        return fail("broker", f"{where}: {error.strerror or error}", "check host, port and network")
    detail = ": ".join(part for part in (error.where or where, error.message) if part)
    return fail("broker", detail, error.remedy or "see the broker's log")


class _Quiet:
    """What the publisher logs of a refusal is said as a check."""

    def __enter__(self) -> None:
        logging.getLogger("edge.publishers.broker").disabled = True

    def __exit__(self, *_: object) -> None:
        logging.getLogger("edge.publishers.broker").disabled = False
