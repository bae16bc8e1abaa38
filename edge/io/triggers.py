"""Triggers from outside: a message or an edge on a line asks for one fresh frame of each of its views, and one verdict each."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from types import TracebackType
from typing import Literal

from typing_extensions import Self

from edge.errors import DeviceError
from edge.io.base import Edge, EdgeLines
from edge.io.lines import GpiodEdges, require_gpiod
from edge.publishers.base import Incoming
from edge.settings.io import GpioTrigger, MqttTrigger, topic_of
from edge.types import Verdict

log = logging.getLogger(__name__)

Ask = Callable[[str, int, float, "str | None"], "tuple[Future[Verdict], ...]"]
"""(view, frames, timeout_s, clearance_id) -> one future per frame: what a Station offers."""
Opens = Callable[[GpioTrigger], EdgeLines]

SLICE_S = 0.2
RETRY_FIRST_S, RETRY_LAST_S = 0.5, 10.0
STOP_S = 2.0


@dataclass(frozen=True)
class TriggerState:
    """One trigger as it is. why: what is wrong with its source, "" while it listens. since: of which moment this is so.

    count: triggers that came. lost: edges that the kernel counted and could not keep; each was asked for with no time left.
    refused: triggers that got no verdict, because too many waited. latency_s: from the newest edge to the question.
    """

    status: Literal["listening", "away", "stopped"] = "stopped"
    why: str = ""
    since: datetime | None = None
    count: int = 0
    lost: int = 0
    refused: int = 0
    latency_s: float = 0.0


def open_gpio(trigger: GpioTrigger) -> EdgeLines:
    """The real line that a trigger names."""
    return GpiodEdges(
        trigger.chip,
        trigger.line,
        trigger.edge,
        active_low=trigger.active_low,
        bias=trigger.bias,
        debounce_ms=trigger.debounce_ms,
        events=trigger.events,
    )


class Triggers:
    """All external triggers of a station. Enter it once the station runs; leave it before the station.

    ask must not block. Give `topics` and `receive` to the channel that hears MQTT, before it is opened. ConfigError where a
    line is named and the package for it is missing.
    """

    def __init__(self, triggers: Mapping[str, MqttTrigger | GpioTrigger], ask: Ask, opens: Opens = open_gpio) -> None:
        if opens is open_gpio and any(isinstance(trigger, GpioTrigger) for trigger in triggers.values()):
            require_gpiod("triggers")
        self._triggers = dict(triggers)
        self._ask = ask
        self._opens = opens
        self._lock = threading.Lock()
        self._waiting: dict[str, int] = {}
        self._states = {name: TriggerState() for name in triggers}
        self._topics = {topic_of(name, t): name for name, t in triggers.items() if isinstance(t, MqttTrigger)}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def topics(self) -> tuple[str, ...]:
        """What to listen to, relative to the station's root."""
        return tuple(self._topics)

    def __enter__(self) -> Self:
        """Listen; a line that cannot be had is tried again for ever, and said in `alarms`."""
        self._stop.clear()
        for name, trigger in self._triggers.items():
            if isinstance(trigger, GpioTrigger):
                self._change(name, status="away", why="its line is being opened", since=_now())
                thread = threading.Thread(target=self._run, args=(name, trigger), name=f"trigger-{name}", daemon=True)
                self._threads.append(thread)
                thread.start()
            else:
                self._change(name, status="listening")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Hear no more triggers; those that came get their verdicts from the station."""
        self._stop.set()
        for thread in self._threads:
            thread.join(STOP_S)
            if thread.is_alive():
                log.error("thread_did_not_stop name=%s", thread.name)
        self._threads.clear()
        for name in self._states:
            self._change(name, status="stopped", why="")

    def receive(self, incoming: Incoming) -> bool:
        """A message came; True if it was for a trigger. A message that the broker kept from earlier triggers nothing."""
        name = self._topics.get(incoming.topic)
        if name is None:
            return False
        if not incoming.retained and self._states[name].status == "listening":
            self._fire(name, time.monotonic_ns())
        return True

    def states(self) -> dict[str, TriggerState]:
        """Every trigger as it is now. Any thread may ask."""
        with self._lock:
            return dict(self._states)

    def alarms(self) -> dict[str, str | None]:
        """Alarm code -> text, None while there is nothing wrong."""
        return {f"trigger_{_code(name)}": _trouble(name, state) for name, state in self.states().items()}

    def health(self) -> Mapping[str, float | int | str | bool | None]:
        """Values for the health message."""
        values: dict[str, float | int | str | bool | None] = {}
        for name, state in self.states().items():
            for field in ("status", "count", "lost", "refused", "latency_s"):
                values[f"trigger.{name}.{field}"] = getattr(state, field)
        return values

    def _run(self, name: str, trigger: GpioTrigger) -> None:
        """The thread of one line: opens it, hears it, and comes back to it when it was away."""
        pause_s = RETRY_FIRST_S
        try:
            while not self._stop.is_set():
                try:
                    with self._opens(trigger) as lines:
                        pause_s = RETRY_FIRST_S
                        self._hear(name, lines)
                except DeviceError as error:
                    self._away(name, str(error))
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, RETRY_LAST_S)
        finally:
            if not self._stop.is_set():
                self._away(name, "its thread failed: see the log")

    def _hear(self, name: str, lines: EdgeLines) -> None:
        self._change(name, status="listening", why="", since=_now())
        last = 0
        while not self._stop.is_set():
            for edge in lines.wait(SLICE_S):
                self._missed(name, edge, last)
                last = edge.number
                self._fire(name, edge.at_ns)

    def _missed(self, name: str, edge: Edge, last: int) -> None:
        """Edges that the kernel counted and could not keep: their moment is over, but each has its verdict."""
        lost = edge.number - last - 1
        if lost <= 0:
            return
        log.warning("trigger_lost name=%s count=%d", name, lost)
        with self._lock:
            state = self._states[name]
            self._states[name] = replace(state, lost=state.lost + lost)
        for _ in range(min(lost, self._triggers[name].queue)):
            self._fire(name, 0)

    def _fire(self, name: str, at_ns: int) -> None:
        """One trigger, seen at host monotonic at_ns: what of its time is left is for the frame."""
        trigger = self._triggers[name]
        late_s = (time.monotonic_ns() - at_ns) / 1e9
        self._counted(name, late_s if at_ns else None)
        left_s = max(0.0, trigger.timeout_s - late_s)
        for view in trigger.views:
            if self._admitted(name, view, trigger.queue):
                for answer in self._ask(view, 1, left_s, None):
                    answer.add_done_callback(partial(self._answered, view))

    def _admitted(self, name: str, view: str, limit: int) -> bool:
        with self._lock:
            if self._waiting.get(view, 0) < limit:
                self._waiting[view] = self._waiting.get(view, 0) + 1
                return True
            state = self._states[name]
            self._states[name] = replace(state, refused=state.refused + 1)
        return False

    def _answered(self, view: str, _answer: Future[Verdict]) -> None:
        with self._lock:
            self._waiting[view] -= 1

    def _counted(self, name: str, late_s: float | None) -> None:
        with self._lock:
            state = self._states[name]
            latency_s = state.latency_s if late_s is None else late_s
            self._states[name] = replace(state, count=state.count + 1, latency_s=latency_s)

    def _away(self, name: str, why: str) -> None:
        since = self._states[name].since if self._states[name].status == "away" else _now()
        if self._states[name].why != why:
            log.error("trigger_away name=%s why=%s", name, why)
        self._change(name, status="away", why=why, since=since)

    def _change(
        self,
        name: str,
        *,
        status: Literal["listening", "away", "stopped"],
        why: str = "",
        since: datetime | None = None,
    ) -> None:
        with self._lock:
            self._states[name] = replace(self._states[name], status=status, why=why, since=since)


def _trouble(name: str, state: TriggerState) -> str | None:
    if state.status == "away":
        blind = f"since {state.since:%H:%M:%S} UTC nobody hears it" if state.since is not None else "nobody hears it"
        return f"trigger {name}: {state.why}; {blind}: check the parts that passed"
    if state.refused:
        return f"trigger {name}: {state.refused} triggers got no verdict, because too many waited: fewer triggers, or more time"
    return None


def _code(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name.lower())[:50]


def _now() -> datetime:
    return datetime.now(timezone.utc)
