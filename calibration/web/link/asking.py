"""Commands to the station and their answers, as docs/commands.md has them. Many requests may ask at the same time.

`sent_at` only grows, and the order in which commands go out is that of `sent_at`: the station refuses what is older than a
command that it took from this client. While one waits and the connection breaks, it is asked again with the same
`request_id` as soon as there is one, so that the answer is had and nothing is done twice.
"""

from __future__ import annotations

import json
import queue
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any, Final, Protocol

from calibration.web.link import reading
from calibration.web.link.connection import Heard
from calibration.web.link.keys import PageKey
from edge.commands.envelope import MAX_BYTES
from edge.commands.orders import COMMAND_SCHEMA, COMMANDS
from edge.commands.signing import signature_of
from edge.errors import ConfigError, LineclearError
from edge.schema import validate

_AGAIN: Final = object()
_MOST_WAITING: Final = 64


class StationRefused(LineclearError):
    """The station says no. code: docs/commands.md; problems: a line for each key that does not fit."""

    def __init__(self, code: str, message: str, *, remedy: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, where="station", remedy=remedy)
        self.code = code
        self.problems = problems

    def __reduce__(self) -> tuple[object, ...]:
        """Keep code and problems when pickled."""
        return _rebuild, (self.code, self.message, self.remedy, self.problems)


def _rebuild(code: str, message: str, remedy: str, problems: tuple[str, ...]) -> StationRefused:
    return StationRefused(code, message, remedy=remedy, problems=problems)


class StationBusy(LineclearError):
    """Something else is at work, or too much was asked: nothing was done."""


class StationSilent(LineclearError):
    """No answer: the broker is away, or the station does not answer. Whether it was done is not known."""


class Sender(Protocol):
    """Where commands go out."""

    def send(self, topic: str, payload: bytes) -> bool:
        """False if there is no connection."""
        ...


class Link:
    """The page's side of commands. root: the station's topic; key: where the station wants signatures."""

    def __init__(
        self,
        root: str,
        client: str,
        key: PageKey | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self.client = client
        self._root = root
        self._key = key
        self._clock = clock
        self._lock = threading.Lock()
        self._sent_at = datetime.min.replace(tzinfo=timezone.utc)
        self._waiting: dict[str, queue.Queue[object]] = {}
        self._sender: Sender | None = None

    @property
    def reply_topic(self) -> str:
        """Where the station answers."""
        return f"{self._root}/reply/{self.client}"

    def through(self, sender: Sender | None) -> None:
        """From now on commands go this way (None: nowhere, there is no broker)."""
        self._sender = sender

    def connected(self) -> None:
        """There is a connection anew: whoever waits asks again."""
        with self._lock:
            waiting = tuple(self._waiting.values())
        for line in waiting:
            line.put(_AGAIN)

    def hear(self, heard: Heard) -> None:
        """A message on the reply topic; what is no reply to something that was asked is passed over."""
        if heard.retained:
            return
        body = reading.body_of(reading.Reply, heard.payload)
        if body is None or body["client"] != self.client:
            return
        with self._lock:
            line = self._waiting.get(body["request_id"])
        if line is not None:
            line.put(body)

    def ask(
        self,
        command: str,
        body: Mapping[str, Any],
        *,
        timeout_s: float = 10,
        progress: Callable[[Mapping[str, Any]], None] | None = None,
        request_id: str | None = None,
    ) -> Mapping[str, Any]:
        """The `result` of the station's answer. progress: told of each reply that comes before it.

        Raises StationRefused, StationBusy, StationSilent.
        """
        request_id = request_id or str(uuid.uuid4())
        line: queue.Queue[object] = queue.Queue()
        with self._lock:
            if len(self._waiting) >= _MOST_WAITING or request_id in self._waiting:
                raise StationBusy("too much is asked at the same time", where="page", remedy="wait a moment, then try again")
            self._waiting[request_id] = line
        try:
            return self._wait(command, request_id, body, line, time.monotonic() + timeout_s, progress)
        finally:
            with self._lock:
                del self._waiting[request_id]

    def _wait(
        self,
        command: str,
        request_id: str,
        body: Mapping[str, Any],
        line: queue.Queue[object],
        deadline: float,
        progress: Callable[[Mapping[str, Any]], None] | None,
    ) -> Mapping[str, Any]:
        self._send(command, request_id, body)
        while True:
            try:
                reply = line.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                remedy = "see on the station page whether it is there; then look at what was done before you ask again"
                raise StationSilent(f"no answer to `{command}` in time", where="station", remedy=remedy) from None
            if not isinstance(reply, dict):
                # Lost again: the next connection asks once more. It was sent before, so nobody may be told that it was not.
                with suppress(StationSilent):
                    self._send(command, request_id, body)
            elif reply["status"] != "progress":
                return _answer(command, reply)
            elif progress is not None:
                progress(reply)

    def _send(self, command: str, request_id: str, body: Mapping[str, Any]) -> None:
        topic = f"{self._root}/cmd/{command}"
        with self._lock:
            sent_at = max(self._clock(), self._sent_at + timedelta(milliseconds=1))
            payload = self._payload(command, topic, request_id, sent_at, body)
            if self._sender is None:
                raise StationSilent(
                    "this station has no broker", where="page", remedy="`publisher: {kind: mqtt}` in its config"
                )
            if not self._sender.send(topic, payload):
                remedy = "the page connects again by itself; see the station page"
                raise StationSilent("no connection to the broker: nothing was sent", where="page", remedy=remedy)
            self._sent_at = sent_at

    def _payload(self, command: str, topic: str, request_id: str, sent_at: datetime, body: Mapping[str, Any]) -> bytes:
        """The message, found to fit before anybody is asked."""
        message: dict[str, Any] = {
            **body,
            "schema": COMMAND_SCHEMA,
            "request_id": request_id,
            "client": self.client,
            "sent_at": sent_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        spec = COMMANDS.get(command)
        if spec is None:
            raise StationRefused("unknown_command", f"there is no command {command!r}")
        try:
            validate(spec.model, message, f"cmd/{command}")
            if self._key is not None:
                message["signature"] = signature_of(message, topic, self._key.read())
            payload = json.dumps(message, ensure_ascii=False, allow_nan=False).encode("utf-8")
        except ConfigError as error:
            raise StationRefused("invalid", error.message, remedy=error.remedy, problems=error.problems) from None
        except ValueError as error:
            raise StationRefused("invalid", f"cannot be sent ({error})") from None
        if len(payload) > MAX_BYTES:
            raise StationRefused("oversized", f"{len(payload)} bytes, at most {MAX_BYTES}")
        return payload


def _answer(command: str, reply: Mapping[str, Any]) -> Mapping[str, Any]:
    error = reply["error"] or {}
    if reply["status"] == "busy":
        message = error.get("message") or "something else is at work"
        raise StationBusy(message, where="station", remedy=error.get("remedy") or "wait until it is done, then try again")
    if reply["status"] == "error" or reply["command"] != command:
        raise StationRefused(
            error.get("code", "internal"),
            error.get("message", "the answer is for another command"),
            remedy=error.get("remedy", ""),
            problems=tuple(error.get("problems", ())),
        )
    return dict(reply["result"] or {})
