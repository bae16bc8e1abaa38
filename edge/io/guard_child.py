"""The guard's process: holds the output lines, and drops the release when the station is silent, gone, or says so.

Run by edge.io.keeper as `python -m edge.io.guard_child outputs LINK LIFE`. It outlives the station by the few milliseconds
that it needs to switch everything off; it imports little, so that it starts quickly.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

from edge.errors import DeviceError
from edge.io.base import OutputLines
from edge.io.guard import Beat, Guard, Order
from edge.sidecar import Link, SidecarGone, link_of, wake_with


def open_lines(chip: Mapping[str, Any], orders: tuple[Order, ...]) -> OutputLines:
    """The chip's lines, not taken yet."""
    wires = [order.wire for order in orders]
    if chip["kind"] == "simulated":
        from edge.io.simulated import SimulatedOutputs

        return SimulatedOutputs(chip["path"], wires)
    from edge.io.lines import GpiodOutputs

    return GpiodOutputs(chip["path"], wires)


def keep(link: Link, lines: OutputLines, guard: Guard) -> None:
    """Drive the lines until the station is gone (SidecarGone)."""
    poll = select.poll()
    poll.register(link.fileno(), select.POLLIN)
    driven: dict[str, bool] = {}
    while True:
        now_ns = time.monotonic_ns()
        levels = guard.levels(now_ns)
        if levels != driven:
            lines.set(levels)
            driven = levels
        poll.poll(max(0.0, (guard.next_ns(now_ns) - time.monotonic_ns()) / 1e6))
        heard = _hear(link, guard)
        if heard is not None:
            now_ns = time.monotonic_ns()
            levels = guard.levels(now_ns)
            lines.set(levels)
            driven = levels
            link.send({"ack": heard, "released": guard.is_released(now_ns)})


def _hear(link: Link, guard: Guard) -> int | None:
    """Take in what was said; the number of the last beat, None if there was none."""
    heard = None
    while (message := link.receive()) is not None:
        try:
            beat = Beat.of(message)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise SidecarGone(f"nonsense: {error}") from error
        guard.hear(beat, time.monotonic_ns())
        heard = beat.number
    return heard


def work(link: Link) -> None:
    """One life: wait for the orders, take the lines, keep them, switch off."""
    select.select([link.fileno()], [], [])
    message = link.receive()
    if message is None:
        return
    orders = tuple(Order.of(line) for line in message["lines"])
    guard = Guard(orders, int(message["guard_ms"] * 1e6), int(message["hold_s"] * 1e9))
    try:
        with open_lines(message["chip"], orders) as lines:
            link.send({"taken": os.getpid()})
            keep(link, lines, guard)
    except DeviceError as error:
        link.send({"failed": str(error)})


def main() -> None:
    """Entry point of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    link = link_of(sys.argv[2])
    wake_with(sys.argv[3])  # the station's end shows on the link; to be killed before the lines are off would be worse
    with contextlib.suppress(SidecarGone):
        work(link)
    link.close()


def _leave(signum: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)  # unwinds through the lines: they are switched off


if __name__ == "__main__":
    main()
