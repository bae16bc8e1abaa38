"""The bounds of the outbox as a state machine: a list is the model, SQLite the real thing."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.publishers.base import Record, RecordKind
from edge.publishers.outbox import Outbox
from edge.publishers.rows import encode
from edge.settings.mqtt import OutboxSettings

KINDS = (RecordKind.VERDICT, RecordKind.CLEARANCE, RecordKind.IMAGE)
HOUR_S = 3600.0


@dataclass(frozen=True)
class Row:
    name: str
    kind: RecordKind
    size: int
    at: float

    @property
    def is_image(self) -> bool:
        return self.kind is RecordKind.IMAGE


class OutboxMachine(RuleBasedStateMachine):
    @initialize(max_rows=st.integers(1, 8), max_bytes=st.integers(4096, 20_000))
    def begin(self, max_rows: int, max_bytes: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.limits = OutboxSettings(max_rows=max_rows, max_bytes=max_bytes, max_age_h=1.0)
        self.now = 1e6
        self.count = 0
        self.rows: list[Row] = []
        self.dropped: dict[str, int] = {}
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(self.folder / "outbox.sqlite3", self.limits, lambda: self.now).__enter__()

    def record(self, kind: RecordKind, size: int) -> tuple[Record, Row]:
        self.count += 1
        name = f"r{self.count}"
        if kind is RecordKind.IMAGE:
            return Record(kind, "t", {}, name, bytes(size)), Row(name, kind, size, self.now)
        body = {"text": "x" * size}
        return Record(kind, "t", body, name), Row(name, kind, len(encode(body)), self.now)

    def over(self) -> bool:
        return len(self.rows) > self.limits.max_rows or sum(row.size for row in self.rows) > self.limits.max_bytes

    def drop(self, row: Row) -> None:
        self.rows.remove(row)
        self.dropped[f"dropped_{row.kind.value}"] = self.dropped.get(f"dropped_{row.kind.value}", 0) + 1

    @rule(parts=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 6000)), max_size=4))
    def put(self, parts: list[tuple[RecordKind, int]]) -> None:
        made = [self.record(kind, size) for kind, size in parts]
        self.outbox.put([record for record, _ in made])
        self.rows += [row for _, row in made]
        while self.over() and (images := [row for row in self.rows if row.is_image]):
            self.drop(images[0])
        while self.over() and len(results := [row for row in self.rows if not row.is_image]) > 1:
            self.drop(results[0])

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        waiting = self.outbox.pending(100)
        chosen = data.draw(st.lists(st.sampled_from(waiting), unique_by=lambda row: row.id)) if waiting else []
        self.outbox.delivered([row.id for row in chosen])
        names = {row.result_id for row in chosen}
        self.rows = [row for row in self.rows if row.name not in names]

    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        waiting = self.outbox.pending(100)
        if waiting:
            chosen = data.draw(st.sampled_from(waiting))
            self.outbox.refused([chosen.id])
            self.rows = [row for row in self.rows if row.name != chosen.result_id]
            self.dropped[f"refused_{chosen.kind.value}"] = self.dropped.get(f"refused_{chosen.kind.value}", 0) + 1

    @rule(hours=st.floats(0.1, 1.5))
    def wait(self, hours: float) -> None:
        self.now += hours * HOUR_S
        self.outbox.maintain()
        for row in [row for row in self.rows if row.is_image and row.at < self.now - HOUR_S]:
            self.drop(row)

    @rule()
    def restart(self) -> None:
        self.outbox.__exit__(None, None, None)
        self.open()

    @invariant()
    def same(self) -> None:
        if not hasattr(self, "outbox"):
            return
        expected = [row for row in self.rows if not row.is_image] + [row for row in self.rows if row.is_image]
        assert [row.result_id for row in self.outbox.pending(100)] == [row.name for row in expected]
        assert self.outbox.counters() == self.dropped
        depth = self.outbox.depth
        assert depth.images == sum(row.is_image for row in self.rows)
        assert depth.results == sum(not row.is_image for row in self.rows)
        assert depth.size_bytes == sum(row.size for row in self.rows)

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.__exit__(None, None, None)
            shutil.rmtree(self.folder)


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None, derandomize=True)
