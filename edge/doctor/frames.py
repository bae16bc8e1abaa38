"""What the running station counted of its cameras' frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edge.doctor.check import Check, ok, skip, warn
from edge.doctor.limits import FRAMES_LOST

_COUNTS = {"lost": "lost", "incomplete": "in pieces", "damaged": "damaged"}


def frames(views: tuple[str, ...], values: Mapping[str, Any] | None) -> Iterator[Check]:
    """values: of the health message that the broker keeps; None: it keeps none."""
    if values is None:
        yield skip("frames", "the broker keeps no health of this station")
        return
    for view in views:
        yield _frames(view, values)


def _frames(view: str, values: Mapping[str, Any]) -> Check:
    name, head = f"frames {view}", f"camera.{view}"
    came = _count(values, f"{head}.frames")
    if came is None:
        return skip(name, "the running station counts none of this view")
    found = {words: _count(values, f"{head}.{key}") or 0 for key, words in _COUNTS.items()}
    restarts = _count(values, f"{head}.restarts") or 0
    bad = sum(found.values())
    detail = ", ".join([f"{came} came", *(f"{count} {words}" for words, count in found.items() if count)])
    detail += f", camera started again {restarts} times" if restarts else ""
    if bad * 100 > FRAMES_LOST.value * max(came + bad, 1):
        remedy = "packets are lost on the way: look at network, MTU, rmem_max, cable and power of this camera"
        return warn(name, detail, remedy)
    if restarts > 3:
        return warn(name, detail, "look at its cable and power, and at the journal for why it went")
    return ok(name, detail)


def _count(values: Mapping[str, Any], key: str) -> int | None:
    value = values.get(key)
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15 else None
