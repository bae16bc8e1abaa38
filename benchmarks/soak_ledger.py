"""What goes into a station and what comes out of it, counted on both sides in little memory: triggers, frames, results."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import paho.mqtt.client as paho
from numpy.typing import NDArray
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.station import tapped
from edge.cameras.supervision import SupervisedCamera
from edge.loop.tickets import Ticket, TicketCounter
from edge.types import Frame

PATIENCE_S = 20.0
SESSION_S = 3600


class Latencies:
    """How long judged frames took from the camera's frame to the durable verdict, with when: room for `most` of them."""

    def __init__(self, most: int) -> None:
        self._values = np.zeros((most, 2), np.float32)
        self._count = 0
        self._began_s = time.monotonic()

    def add(self, ms: float) -> None:
        """One more; beyond the room it is not kept."""
        if self._count < len(self._values):
            self._values[self._count] = time.monotonic() - self._began_s, ms
            self._count += 1

    def quarters(self) -> list[NDArray[np.float32]]:
        """Milliseconds of each quarter of the time between the first and the last."""
        seen = self._values[: self._count]
        if len(seen) < 4:
            return []
        edges = np.linspace(seen[0, 0], seen[-1, 0], 5)[1:4]
        return [seen[np.searchsorted(edges, seen[:, 0]) == quarter, 1] for quarter in range(4)]

    def p99(self) -> list[float]:
        """Of each quarter, milliseconds."""
        return [float(np.percentile(part, 99)) for part in self.quarters() if len(part)]


class Receiver:
    """An MES on the broker that keeps no more than it must: which triggers of which view were answered, and how often.

    Its session outlives the broker's restarts, as an MES that must not miss anything has it.
    """

    def __init__(self, port: int, topic: str, views: Sequence[str], latencies: Latencies) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="soak", protocol=paho.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._ready = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe(f"{topic}/view/+/result", 1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _, __, message: self._receive(bytes(message.payload))
        self._port = port
        self._latencies = latencies
        self._next = dict.fromkeys(views, 1)
        self._ahead: dict[str, set[int]] = {view: set() for view in views}
        self.distinct = dict.fromkeys(views, 0)
        self.again = 0
        self.outcomes: dict[str, int] = {}

    def __enter__(self) -> Receiver:
        kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        kept.SessionExpiryInterval = SESSION_S
        self._client.connect("127.0.0.1", self._port, clean_start=False, properties=kept)
        self._client.loop_start()
        if not self._ready.wait(PATIENCE_S):
            raise RuntimeError("the broker gave no subscription")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _receive(self, payload: bytes) -> None:
        body = json.loads(payload)
        view, number = body["view"], body["triggerNumber"]
        name = body["outcome"] + (f" {body['reason']['code']}" if body["reason"] else "")
        ahead = self._ahead[view]
        if number < self._next[view] or number in ahead:
            self.again += 1
            return
        ahead.add(number)
        while self._next[view] in ahead:
            ahead.remove(self._next[view])
            self._next[view] += 1
        self.distinct[view] += 1
        self.outcomes[name] = self.outcomes.get(name, 0) + 1
        stages = body["processingTimes"]["stageMs"]
        if "infer" in stages:
            self._latencies.add(sum(ms for stage, ms in stages.items() if stage != "grab"))


@dataclass
class Gaps:
    """Frame numbers of one camera. missing: numbers that never came; explained: those that its counters name.

    unexplained: numbers that are still missing at the end of each life of the camera's process; a new one begins with new
    numbers, and makes up for nothing. worst: the most that was ever missing beyond what was explained at that moment; ahead:
    the most that the counters were ahead of the numbers. Both say how long after its frame a counter was read, which is
    the machine's load and no fault.
    """

    frames: int = 0
    last: int | None = None
    missing: int = 0
    lost: int = 0
    incomplete: int = 0
    skipped: int = 0
    worst: int = 0
    ahead: int = 0
    life: int = 0
    _skipped_before: int = 0
    _surplus: int = 0
    _left: int = 0

    @property
    def unexplained(self) -> int:
        """Numbers that never came and that no counter names."""
        return self._left + max(0, -self._surplus)

    def add(self, frame: Frame, skipped: int, life: int = 0) -> None:
        """One more frame, and how many the camera has skipped so far."""
        self.frames += 1
        if self.last is None or life != self.life:
            self._left, self._surplus = self.unexplained, 0
        else:
            missing, more = frame.number - self.last - 1, skipped - self._skipped_before
            self.missing += missing
            self.lost += frame.lost_before
            self.incomplete += frame.incomplete_before
            self.skipped += more
            self._surplus += frame.lost_before + frame.incomplete_before + more - missing
        self.life, self.last, self._skipped_before = life, frame.number, skipped
        self.worst, self.ahead = max(self.worst, -self._surplus), max(self.ahead, self._surplus)


@dataclass
class Ledger:
    """What went into the station: triggers per view, frames per camera."""

    triggered: dict[str, int]
    gaps: dict[str, Gaps] = field(default_factory=dict)

    @classmethod
    def of(cls, views: Sequence[str]) -> Ledger:
        """All at nothing."""
        return cls(dict.fromkeys(views, 0), {view: Gaps() for view in views})

    @contextmanager
    def listening(self) -> Iterator[Ledger]:
        """It counts."""
        with ExitStack() as stack:
            stack.enter_context(tapped(TicketCounter, "issue", self._issued))
            stack.enter_context(tapped(SupervisedCamera, "grab", self._grabbed))
            yield self

    def _issued(self, _from: int, _to: int, ticket: Ticket, *_: Any) -> None:
        self.triggered[ticket.view] += 1

    def _grabbed(self, _from: int, _to: int, frame: Frame | None, source: SupervisedCamera, *_: Any) -> None:
        if frame is not None:
            state = source.state
            self.gaps[frame.view].add(frame, state.skipped, state.restarts)
