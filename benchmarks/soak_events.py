"""What happens to a station while it soaks: the broker restarts, cameras are killed, the product changes."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

from benchmarks.station import Broker
from edge.app import Assembly
from edge.cameras.supervision import SupervisedCamera
from edge.errors import LineclearError

AWAY_S, QUIET_S = 5, 20


@dataclass(frozen=True)
class Schedule:
    """Every how many seconds; 0: never."""

    broker_s: int
    kill_s: int
    change_s: int


SCHEDULE = Schedule(300, 180, 600)


@dataclass
class Events:
    """Does what is due, and counts it. The last QUIET_S of a run stay quiet, so that what was done is mended when it ends."""

    schedule: Schedule
    kills: int = 0
    restarts: int = 0
    changes: int = 0
    problems: list[str] = field(default_factory=list)
    _back_at: int | None = None

    def __post_init__(self) -> None:
        self._products = cycle(("beta", "alpha"))

    def __str__(self) -> str:
        return f"{self.kills} cameras killed, {self.restarts} restarts of the broker, {self.changes} changes of the product"

    def at(self, second: int, last: int, assembly: Assembly, broker: Broker, cameras: Sequence[SupervisedCamera]) -> None:
        """What is due in this second."""
        if self._back_at is not None and second >= self._back_at:
            broker.start()
            self._back_at = None
        if last > QUIET_S and second > last - QUIET_S:
            return
        if _is_due(second, self.schedule.broker_s):
            broker.stop()
            self._back_at = second + AWAY_S
            self.restarts += 1
        if _is_due(second, self.schedule.kill_s):
            pid = cameras[self.kills % len(cameras)].pid
            if pid is None:
                self.problems.append(f"at {second} s the camera to be killed had no process")
            else:
                os.kill(pid, signal.SIGKILL)
                self.kills += 1
        if _is_due(second, self.schedule.change_s):
            self._change(second, assembly)

    def over(self, broker: Broker) -> None:
        """The broker is there when the station closes."""
        if self._back_at is not None:
            broker.start()
            self._back_at = None

    def _change(self, second: int, assembly: Assembly) -> None:
        product = next(self._products)
        try:
            assembly.changeover.select(product, who="benchmark", why="soak")
        except LineclearError as error:
            self.problems.append(f"at {second} s {product} was refused: {error}")
        self.changes += 1


def _is_due(second: int, every_s: int) -> bool:
    return every_s > 0 and second % every_s == 0
