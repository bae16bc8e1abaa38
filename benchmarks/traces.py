"""What becomes of each frame in a running station: when it was grabbed, fetched, judged, recorded and acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.station import tapped
from edge.cameras.supervision import SupervisedCamera
from edge.pipeline import ViewPipeline
from edge.publishers.base import Record, RecordKind
from edge.publishers.outbox import Outbox
from edge.publishers.rows import Pending
from edge.types import Frame, ImageU8

STAGES = ("hand-off", "queue", "behind", "align", "warp", "infer", "judge", "decide", "report", "record", "puback")
PATIENCE_S = 60.0
Key = tuple[str, int]


@dataclass
class Trace:
    """What became of one frame: host monotonic nanoseconds, and the pipeline's own milliseconds."""

    grabbed_ns: int
    fetched_ns: int
    judge_from_ns: int = 0
    judge_to_ns: int = 0
    record_from_ns: int = 0
    recorded_ns: int = 0
    puback_ns: int = 0
    outcome: str = ""
    stage_ms: dict[str, float] = field(default_factory=dict)

    def split(self, busy: Sequence[tuple[int, int]]) -> dict[str, float]:
        """Milliseconds per stage; busy: when the judge was at work on any frame."""
        ms = 1e-6
        waited = self.judge_from_ns - self.fetched_ns
        behind = sum(max(0, min(to, self.judge_from_ns) - max(start, self.fetched_ns)) for start, to in busy)
        inside = (self.judge_to_ns - self.judge_from_ns) * ms
        spent = {name: self.stage_ms.get(name, 0.0) for name in ("align", "warp", "infer", "judge", "decide")}
        return {
            "hand-off": (self.fetched_ns - self.grabbed_ns) * ms,
            "queue": (waited - behind) * ms,
            "behind": behind * ms,
            **spent,
            "report": (self.record_from_ns - self.judge_to_ns) * ms + inside - sum(spent.values()),
            "record": (self.recorded_ns - self.record_from_ns) * ms,
            "puback": (self.puback_ns - self.recorded_ns) * ms,
        }


class Tap:
    """Listens at public methods of the station while it runs; costs it some microseconds per frame."""

    def __init__(self) -> None:
        self.traces: dict[Key, Trace] = {}
        self._images: dict[int, Key] = {}
        self._results: dict[str, Key] = {}
        self._rows: dict[int, str] = {}
        self._changed = threading.Condition()
        self._acknowledged = 0

    @contextmanager
    def listening(self) -> Iterator[Tap]:
        """The taps are in place."""
        with ExitStack() as stack:
            stack.enter_context(tapped(SupervisedCamera, "grab", self._grabbed))
            stack.enter_context(tapped(ViewPipeline, "judge", self._judged))
            stack.enter_context(tapped(Outbox, "put", self._put))
            stack.enter_context(tapped(Outbox, "pending", self._pending))
            stack.enter_context(tapped(Outbox, "delivered", self._delivered))
            yield self

    @property
    def acknowledged(self) -> int:
        """Verdicts acknowledged so far."""
        with self._changed:
            return self._acknowledged

    def wait_for(self, count: int) -> None:
        """Until so many verdicts are acknowledged."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._acknowledged >= count, PATIENCE_S):
                raise RuntimeError(f"{self._acknowledged} of {count} verdicts were acknowledged within {PATIENCE_S:g} s")

    def _grabbed(self, _from: int, to_ns: int, frame: Frame | None, *_: Any) -> None:
        if frame is not None:
            key = (frame.view, frame.number)
            self.traces[key] = Trace(frame.grabbed_ns, to_ns)
            self._images[id(frame.image)] = key

    def _judged(self, from_ns: int, to_ns: int, judged: Any, _: ViewPipeline, image: ImageU8) -> None:
        trace = self.traces[self._images.pop(id(image))]
        trace.judge_from_ns, trace.judge_to_ns, trace.stage_ms = from_ns, to_ns, judged.stage_ms

    def _put(self, from_ns: int, to_ns: int, _: None, __: Outbox, records: Sequence[Record], *___: Any) -> None:
        for record in records:
            if record.kind is RecordKind.VERDICT and record.body["frameNumber"] is not None:
                key = (str(record.body["view"]), int(record.body["frameNumber"]))
                trace = self.traces[key]
                trace.record_from_ns, trace.recorded_ns, trace.outcome = from_ns, to_ns, str(record.body["outcome"])
                self._results[record.result_id] = key

    def _pending(self, _from: int, _to: int, rows: list[Pending], *_: Any) -> None:
        self._rows.update({row.id: row.result_id for row in rows if row.kind is RecordKind.VERDICT})

    def _delivered(self, from_ns: int, _to: int, _: None, __: Outbox, ids: Collection[int]) -> None:
        # The sender calls this as soon as it has read the acknowledgements: its start is the PUBACK, its work is not.
        with self._changed:
            for row in ids:
                if (result := self._rows.pop(row, None)) is not None:
                    self.traces[self._results.pop(result)].puback_ns = from_ns
                    self._acknowledged += 1
            self._changed.notify_all()


def busy_of(traces: Sequence[Trace]) -> list[tuple[int, int]]:
    """When the judge was at work."""
    return [(trace.judge_from_ns, trace.recorded_ns) for trace in traces]


def splits(tap: Tap) -> list[dict[str, float]]:
    """Every frame's stages; the neighbours in time are enough to know whom it waited for."""
    traces = sorted(tap.traces.values(), key=lambda trace: trace.judge_from_ns)
    near = 12
    return [trace.split(busy_of(traces[max(0, i - near) : i])) for i, trace in enumerate(traces)]
