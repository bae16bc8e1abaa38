"""What the archive says of itself: counters, what is missing and why, the alarm. Any thread."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from edge.archive.evidence import Evidence
from edge.archive.packing import clean, microseconds

_LOUD_S: Final = 600.0
_REMEMBERED: Final = 10_000
Missing = tuple[int, str, Mapping[str, Any]]
Values = Mapping[str, "float | int | str | bool | None"]


class Ledger:
    """Counters since the start; `down`, `blocked`, `held` are set by the archive's thread while something is wrong.

    down: why nothing can be written. blocked: why nothing can be deleted. held: why nothing is deleted by age.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._counts = Counter[str]()
        self._sizes: dict[str, int] = {}
        self._missing: deque[Missing] = deque(maxlen=_REMEMBERED)
        self._lost_s: float | None = None
        self._lost_why = ""
        self.down: str | None = None
        self.blocked: str | None = None
        self.held: str | None = None

    def stored(self, results: int) -> None:
        """Results are on the disk and in the index."""
        with self._lock:
            self._counts["stored"] += results

    def purged(self, results: int) -> None:
        """Results are going to be deleted."""
        with self._lock:
            self._counts["purged"] += results

    def no_overlay(self) -> None:
        """A picture could not be drawn; the rest was kept."""
        with self._lock:
            self._counts["overlay_failed"] += 1

    def lost(self, evidence: Sequence[Evidence], why: str, at_us: int) -> None:
        """The evidence of these results is missing for good."""
        if not evidence:
            return
        with self._lock:
            self._counts["missing"] += len(evidence)
            self._counts["missing_clearance"] += sum(one.keep == "clearance" for one in evidence)
            self._lost_s, self._lost_why = self._monotonic(), why
            self._missing.extend((at_us, why, _fields(one)) for one in evidence)

    def take_missing(self) -> list[Missing]:
        """What the index should know is missing; the caller writes it there, or gives it back."""
        with self._lock:
            taken = list(self._missing)
            self._missing.clear()
        return taken

    def give_back(self, missing: Sequence[Missing]) -> None:
        """It could not be written."""
        with self._lock:
            self._missing.extendleft(reversed(missing))

    def measure(self, **values: int) -> None:
        """Sizes of the archive as they are now."""
        with self._lock:
            self._sizes = values

    def values(self, waiting: int, waiting_bytes: int) -> Values:
        """For `health`; every name starts with `archive.`."""
        with self._lock:
            counts = {
                name: self._counts[name] for name in ("stored", "missing", "missing_clearance", "purged", "overlay_failed")
            }
            values = {
                **counts,
                **self._sizes,
                "waiting": waiting,
                "waiting_bytes": waiting_bytes,
                "writable": self.down is None,
            }
        return {f"archive.{name}": value for name, value in values.items()}

    @property
    def alarm(self) -> str | None:
        """What is wrong and what to do; None if all is well. Missing evidence stays an alarm for ten minutes."""
        with self._lock:
            count, why = self._counts["missing"], self._lost_why
            lately = self._lost_s is not None and self._monotonic() - self._lost_s < _LOUD_S
        if self.down is not None:
            return f"evidence is not being kept: {self.down}"
        if lately:
            return f"the evidence of {count} results is missing since the start, the last because {why}"
        return self.blocked or self.held


def _fields(evidence: Evidence) -> dict[str, Any]:
    texts = {name: clean(getattr(evidence, name)) for name in ("result_id", "kind", "view", "outcome", "batch")}
    clearance_id = clean(evidence.clearance_id) if evidence.clearance_id is not None else None
    return {**texts, "clearance_id": clearance_id, "decided_us": microseconds(evidence.decided_at)}
