"""Evidence that somebody asked for: the verdict may be faster than who says which it is."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from edge.archive import Evidence

_HELD: Final = 4
_WANTED: Final = 8


class AskedFor:
    """Holds a few results of a view from `expect` until `keep` says which of them is wanted. Any thread."""

    def __init__(self, submit: Callable[[Evidence], object]) -> None:
        """submit: keeps one, whatever its outcome; never blocks."""
        self._submit = submit
        self._lock = threading.Lock()
        self._expected: dict[str, int] = {}
        self._wanted: OrderedDict[str, None] = OrderedDict()
        self._held: OrderedDict[str, Evidence] = OrderedDict()

    def expect(self, view: str) -> None:
        """`keep` follows for a result of this view."""
        with self._lock:
            self._expected[view] = self._expected.get(view, 0) + 1

    def keep(self, result_id: str, view: str) -> None:
        """It is this one; "": none came."""
        with self._lock:
            held = self._held.pop(result_id, None)
            self._expected[view] = max(0, self._expected.get(view, 0) - 1)
            if not self._expected[view]:
                for other in [name for name, each in self._held.items() if each.view == view]:
                    del self._held[other]
            if held is None and result_id:
                self._wanted[result_id] = None
                while len(self._wanted) > _WANTED:
                    self._wanted.popitem(last=False)
        if held is not None:
            self._submit(held)

    def wants(self, result_id: str, view: str) -> bool:
        """False where nobody asks for results of this view: then nothing need be copied for `offer`."""
        with self._lock:
            return result_id in self._wanted or bool(self._expected.get(view))

    def offer(self, evidence: Evidence) -> None:
        """What may be the one. Its arrays are copied if it has to wait: the engine writes into them again."""
        with self._lock:
            is_wanted = evidence.result_id in self._wanted
            self._wanted.pop(evidence.result_id, None)
            if not is_wanted and self._expected.get(evidence.view or ""):
                self._held[evidence.result_id] = _own(evidence)
                while len(self._held) > _HELD:
                    self._held.popitem(last=False)
        if is_wanted:
            self._submit(evidence)


def _own(evidence: Evidence) -> Evidence:
    scores, judged = evidence.anomaly_map, evidence.judged
    return replace(
        evidence,
        anomaly_map=scores.copy() if scores is not None else None,
        judged=judged.copy() if judged is not None else None,
    )
