"""A desk of clearances on scripted views: everything of it is the product's own, only the frames are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from edge.cameras.supervision import CameraState
from edge.clearance import Clearances, ClearanceSettings, Sequence
from edge.clearance.book import Book
from edge.clearance.fitness import Fitness
from edge.clearance.parts import Parts
from edge.errors import OutboxError
from edge.publishers.base import Publisher, Record, RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.recipe import Hashes
from edge.settings.mqtt import MemorySettings
from edge.types import Judgement, Origin, Outcome, Reason, ReasonCode, Verdict
from tests.publishers.samples import region
from tests.recipe.builders import document

START = datetime(2026, 11, 22, 6, 0, 0, tzinfo=timezone.utc)
VIEWS = ("front", "back")
PLENTY = 10**12


def judged(outcome: str) -> Judgement:
    """PASS, FAIL, or the code of a reason."""
    if outcome in ("PASS", "FAIL"):
        return Judgement(Outcome(outcome), None, 9.0 if outcome == "FAIL" else 1.0, 4.0, 4.0, (region(),) * (outcome == "FAIL"))
    return Judgement(Outcome.UNDECIDED, Reason(ReasonCode(outcome), "scripted"))


@dataclass
class Clock:
    """A wall clock that goes on by itself only a little, so that no two moments are the same."""

    moment: datetime = START

    def __call__(self) -> datetime:
        self.moment += timedelta(microseconds=1000)
        return self.moment


def camera_state(status: str) -> CameraState:
    return CameraState(status, "" if status == "live" else "unplugged", 0, None, 0, 0, 0, 0, 0, 0, 0.0)  # type: ignore[arg-type]


@dataclass
class ScriptedCamera:
    status: str = "live"

    @property
    def state(self) -> CameraState:
        return camera_state(self.status)


@dataclass
class ScriptedSeat:
    """A view whose recipe is sound unless `trouble` names a reason."""

    name: str
    product: str = "aspirin"
    version: int = 1
    camera: Any = field(default_factory=ScriptedCamera)
    trouble: str = ""

    @property
    def pipeline(self) -> Any:
        hashes = Hashes(**dict.fromkeys(("bundle", "reference", "masks", "registration", "score_rule"), f"{self.version:064x}"))
        fields = {"document": document(view=self.name), "card": None, "parity": None, "product": self.product}
        recipe = SimpleNamespace(hashes=hashes, **fields)
        return SimpleNamespace(blocked=None, recipe=recipe)

    @property
    def origin(self) -> Origin:
        return Origin(self.name, 0, None, None, "cam", self.product, self.name, self.version, "bundle-0", "simulated-1")

    @property
    def blocked(self) -> Judgement | None:
        return judged(self.trouble) if self.trouble else None


class ScriptedStation:
    """Answers each ask of a view with the verdicts that the script says; `held` views answer only when told."""

    def __init__(self, seats: Mapping[str, ScriptedSeat], now: Callable[[], datetime]) -> None:
        self.views = seats
        self.script: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.held: set[str] = set()
        self.waiting: list[tuple[Future[Verdict], Verdict]] = []
        self.someone_waits = threading.Event()
        self._now = now
        self._count = 0

    def ask(self, view: str, frames: int, timeout_s: float, clearance_id: str | None) -> tuple[Future[Verdict], ...]:
        self.asked.append(view)
        outcomes = (self.script.get(view) or ["PASS"]) * frames
        return tuple(self._answer(view, outcome, clearance_id) for outcome in outcomes[:frames])

    def _answer(self, view: str, outcome: str, clearance_id: str | None) -> Future[Verdict]:
        self._count += 1
        origin = replace(self.views[view].origin, trigger=self._count, frame=self._count, grabbed_at=self._now())
        verdict = Verdict(f"{view}-{self._count}", judged(outcome), origin, self._now(), clearance_id=clearance_id)
        answer: Future[Verdict] = Future()
        if view in self.held:
            self.waiting.append((answer, verdict))
            self.someone_waits.set()
        else:
            answer.set_result(verdict)
        return answer

    def let_go(self) -> None:
        self.someone_waits.clear()
        while self.waiting:
            answer, verdict = self.waiting.pop()
            answer.set_result(verdict)


class Disk:
    """A publisher whose disk can fail: before a clearance is written, or after it (the machine dies right then)."""

    def __init__(self, inner: Publisher) -> None:
        self._inner = inner
        self.fails = False
        self.fails_after = False
        self.attempts = 0

    def __enter__(self) -> Disk:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._inner.__exit__(None, None, None)

    def publish(self, *records: Record) -> None:
        if any(record.kind is RecordKind.CLEARANCE for record in records):
            self.attempts += 1
            if self.fails:
                raise OutboxError("disk full", where="outbox")
        self._inner.publish(*records)
        if self.fails_after and any(record.kind is RecordKind.CLEARANCE for record in records):
            raise OutboxError("input/output error", where="outbox")

    def health(self) -> Mapping[str, float | int | str | bool | None]:
        return self._inner.health()


class FailingBook(Book):
    """The real book, on a disk that refuses writes while `fails` names them."""

    fails: frozenset[str] = frozenset()

    def begin(self, *values: Any) -> None:
        self._check("begin")
        super().begin(*values)

    def decide(self, *values: Any) -> None:
        self._check("decide")
        super().decide(*values)

    def announce(self, *values: Any) -> None:
        self._check("announce")
        super().announce(*values)

    def _check(self, what: str) -> None:
        if what in self.fails:
            raise OutboxError("disk full", where="book")


def memory() -> MemoryPublisher:
    return MemoryPublisher(MemorySettings(kind="memory", keep=100_000))


class Bench:
    """One station's life after life in one state folder; `start` and `stop` are its power switch."""

    def __init__(self, folder: Path, *, settings: ClearanceSettings | None = None, views: tuple[str, ...] = VIEWS) -> None:
        self.folder = folder
        self.clock = Clock()
        self.seats = {name: ScriptedSeat(name) for name in views}
        self.station = ScriptedStation(self.seats, self.clock)
        self.outbox = memory()
        self.disk = Disk(self.outbox)
        self.settings = settings or ClearanceSettings(timeout_s=30)
        self.free_bytes = PLENTY
        self.checks: list[Callable[[], Reason | None]] = []
        self.parts: dict[str, Any] = {}
        self.book = FailingBook(folder / "book.sqlite3")
        self.clearances: Clearances

    def start(self) -> Clearances:
        self.disk.__enter__()
        self.book = FailingBook(self.folder / "book.sqlite3", keep=50)
        self.book.__enter__()
        products = {name: seat.product for name, seat in self.seats.items()}
        fitness = Fitness(
            self.seats, self.folder, 1000, self.book.last_time, tuple(self.checks), self.clock, lambda path: self.free_bytes
        )
        parts = Parts(fitness=fitness, book=self.book, **self.parts)
        self.clearances = Clearances(
            self.station.ask, products, self.disk, Sequence(self.folder / "n.json"), self.settings, self.clock, parts
        )
        self.clearances.__enter__()
        return self.clearances

    def stop(self) -> None:
        self.clearances.__exit__(None, None, None)
        self.book.__exit__(None, None, None)
        self.disk.__exit__()

    def die(self) -> None:
        """kill -9: nothing is said, nothing is written any more."""
        self.book.fails = frozenset({"begin", "decide", "announce"})
        self.disk.fails = True
        self.stop()
        self.disk.fails = False

    def __enter__(self) -> Bench:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def published(self) -> list[dict[str, Any]]:
        """The bodies on clearance/result, in order."""
        return [dict(record.body) for record in self.outbox.records if record.kind is RecordKind.CLEARANCE]

    @property
    def states(self) -> list[dict[str, Any]]:
        """The bodies on clearance/state, in order."""
        return [dict(record.body) for record in self.outbox.records if record.topic == "clearance/state"]
