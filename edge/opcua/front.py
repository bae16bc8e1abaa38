"""The station's side of its OPC UA server: told what happens, it never waits; it keeps the server's process alive."""

from __future__ import annotations

import importlib.util
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from typing_extensions import Self

from edge.errors import ConfigError, LineclearError
from edge.opcua.snapshot import Group, clearance_group, phase_group, station_group, verdict_group, view_group
from edge.settings.opcua import OpcUaConfig
from edge.sidecar import Sidecar, SidecarGone
from edge.types import Clearance, Verdict

log = logging.getLogger(__name__)

ALARM = "opcua"
MODULE = "edge.opcua.child"
START_S, SILENCE_S, END_S, STOP_S = 60.0, 15.0, 3.0, 8.0
RETRY_FIRST_S, RETRY_LAST_S = 1.0, 30.0
TURN_S = 0.05


@dataclass(frozen=True)
class StartOrder:
    """StartClearance was called. user: who is logged in, `local` on a server without security."""

    batch: str
    product: str
    operator: str
    request_id: str
    user: str


@dataclass(frozen=True)
class Reply:
    """What came of it at once: accepted, or why not. The result itself comes in the variables."""

    accepted: bool
    message: str = ""
    result_id: str = ""


Starts = Callable[[StartOrder], Reply]
"""Begins a clearance without waiting for its end; may raise LineclearError, whose text goes to the caller."""


class OpcUa:
    """Told by any thread; one thread of its own talks to the server's process."""

    def __init__(self, config: OpcUaConfig, station: str, views: Sequence[str], starts: Starts) -> None:
        """station: its address, such as `lineclear/basel/packaging/line3/feeder-box`; it names the server."""
        if importlib.util.find_spec("asyncua") is None:
            raise ConfigError("needs the package asyncua", where="opcua", remedy="pip install 'lineclear[opcua]'")
        self._orders = {
            "config": config.model_dump(mode="json"),
            "station": station.replace("/", ":"),
            "views": list(views),
        }
        self._starts = starts
        self._lock = threading.Lock()
        self._known: dict[str, Group] = {}
        self._due: dict[str, Group] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._child: Sidecar | None = None
        self._serving = ""
        self._heard_s = self._due_s = 0.0
        self._pause_s = RETRY_FIRST_S
        self._why = ""
        self.restarts = 0
        self._say({"station": station_group("starting", "", station)})

    def __enter__(self) -> Self:
        """Start; never waits for the server: `alarms` says what is wrong with it."""
        self._stop.clear()
        thread = threading.Thread(target=self._run, name="opcua", daemon=True)
        thread.start()
        self._thread = thread  # not before it is alive: one that is not counts as failed
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Every value becomes bad (out of service), then the server ends."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                log.error("thread_did_not_stop name=%s", "opcua")

    def state_changed(self, status: str, reason: str, topic: str, **more: str) -> None:
        """The station's state: `starting`, `ready`, `degraded`, `safe_mode`. more: Software, ConfigHash, Product."""
        self._say({"station": station_group(status, reason, topic, **more)})

    def view_changed(self, view: str, why_not: str) -> None:
        """A view can judge ("") or cannot, and why."""
        self._say({f"ready {view}": view_group(view, why_not)})

    def verdict(self, verdict: Verdict) -> None:
        """A view was judged."""
        self._say({f"verdict {verdict.view}": verdict_group(verdict)})

    def phase_changed(self, phase: str, request_id: str) -> None:
        """What the clearances are at; a new one is taken when the phase is `ready`."""
        self._say({"phase": phase_group(phase, request_id)})

    def clearance_done(self, clearance: Clearance) -> None:
        """A clearance has its answer."""
        self._say({"clearance": clearance_group(clearance)})

    @property
    def endpoint(self) -> str:
        """Where it listens, "" while it does not."""
        return self._serving

    @property
    def pid(self) -> int | None:
        """The process of the server, None while there is none."""
        child = self._child
        return child.pid if child is not None else None

    def alarms(self) -> dict[str, str | None]:
        """Alarm code -> text, None while there is nothing wrong."""
        why = self._why
        if self._thread is not None and not self._thread.is_alive() and not self._stop.is_set():
            why = "its thread failed: see the log"
        return {ALARM: f"OPC UA: {why}" if why else None}

    def health(self) -> Mapping[str, float | int | str | bool | None]:
        """Values for the health message."""
        return {"opcua.serving": bool(self._serving), "opcua.restarts": self.restarts}

    def _say(self, groups: dict[str, Group]) -> None:
        """The newest of each group is all that matters: nothing grows while the server is away."""
        with self._lock:
            self._known.update(groups)
            self._due.update(groups)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn()
        finally:
            self._finish()

    def _turn(self) -> None:
        child = self._child
        if child is None:
            if time.monotonic() >= self._due_s:
                self._begin()
            self._stop.wait(TURN_S)
            return
        child.wait(TURN_S)
        try:
            self._listen(child)
            if self._serving:
                self._flush(child)
        except SidecarGone:
            self._lose("its process is gone")
            return
        if self._child is not None and time.monotonic() - self._heard_s > (SILENCE_S if self._serving else START_S):
            self._lose("its process does not answer")

    def _begin(self) -> None:
        try:
            child = Sidecar(MODULE, "opcua")
        except OSError as error:
            self._retry(f"its process cannot be started ({error.strerror})")
            return
        self._child, self._serving, self._heard_s = child, "", time.monotonic()
        try:
            child.link.send(self._orders)
        except SidecarGone:
            self._lose("its process is gone")

    def _listen(self, child: Sidecar) -> None:
        while self._child is child and (message := child.link.receive()) is not None:
            self._heard_s = time.monotonic()
            if "failed" in message:
                self._lose(str(message["failed"]), is_told=True)
            elif "serving" in message:
                self._serving, self._why, self._pause_s = str(message["serving"]), "", RETRY_FIRST_S
                log.info("opcua_serving endpoint=%s", self._serving)
                with self._lock:
                    self._due = dict(self._known)
            elif "start" in message:
                reply = self._answer(message)
                answer = {"answer": message["start"], "accepted": reply.accepted, "message": reply.message}
                child.link.send({**answer, "result_id": reply.result_id})

    def _answer(self, message: Mapping[str, Any]) -> Reply:
        batch, product, operator, request_id = message["words"]
        try:
            return self._starts(StartOrder(batch, product, operator, request_id, message["user"]))
        except LineclearError as error:
            return Reply(False, str(error))

    def _flush(self, child: Sidecar) -> None:
        while True:
            with self._lock:
                name = next(iter(self._due), None)
                if name is None:
                    return
                group = self._due.pop(name)
            if not child.link.send({"put": group}):
                with self._lock:
                    self._due.setdefault(name, group)  # what came meanwhile is newer
                return

    def _lose(self, what: str, *, is_told: bool = False) -> None:
        child, self._child = self._child, None
        if child is not None:
            how = child.end(END_S if is_told else 0.0)
            self._retry(what if is_told else f"{what}: it {how}")

    def _retry(self, why: str) -> None:
        log.error("opcua_lost why=%s", why)
        self._serving, self._why = "", why
        self.restarts += 1
        self._due_s = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, RETRY_LAST_S)

    def _finish(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        self._serving = ""
        with self._lock:
            groups = list(self._known.values())
        with suppress(SidecarGone):
            for group in groups:
                child.link.send({"put": [(path, value, "offline", at) for path, value, _, at in group]})
            child.link.send({"bye": True})
            child.has_exited(END_S)
        child.end(0.0)
