"""The kernel's own simulated GPIO chip (gpio-sim, through configfs): real requests, real edges, no board.

Needs root and a kernel with CONFIG_GPIO_SIM. `benchmarks/` and CI machines without it skip these tests; docs/io.md says how
they were run in a user-mode Linux.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIGFS = Path("/sys/kernel/config/gpio-sim")
LINES = 32
EDGE_S = 0.02
"""gpio-sim keeps one pending interrupt per line and delivers it with the next tick: faster edges would be one."""


class SimChip:
    """One live chip of 32 lines."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        bank = folder / "bank"
        bank.mkdir(parents=True)
        (bank / "num_lines").write_text(str(LINES))
        named = bank / "line5"
        named.mkdir()
        (named / "name").write_text("GATE")
        (folder / "live").write_text("1")
        device, chip = (folder / "dev_name").read_text().strip(), (bank / "chip_name").read_text().strip()
        self.path = f"/dev/{chip}"
        self._lines = Path("/sys/devices/platform") / device / chip
        end_s = time.monotonic() + 10
        while not Path(self.path).exists():
            assert time.monotonic() < end_s, "no device file"
            time.sleep(0.01)

    def level(self, line: int) -> bool:
        """What a meter shows at an output."""
        return (self._lines / f"sim_gpio{line}" / "value").read_text().strip() == "1"

    def pull(self, line: int, up: bool) -> None:
        """What a sensor does to an input."""
        (self._lines / f"sim_gpio{line}" / "pull").write_text("pull-up" if up else "pull-down")
        time.sleep(EDGE_S)

    def pulse(self, line: int) -> None:
        """Up and down again."""
        self.pull(line, True)
        self.pull(line, False)

    def unplug(self) -> None:
        """The chip goes away under whoever uses it."""
        (self._folder / "live").write_text("0")

    def remove(self) -> None:
        """Leave no trace."""
        if (self._folder / "live").read_text().strip() == "1":
            self.unplug()
        (self._folder / "bank" / "line5").rmdir()
        (self._folder / "bank").rmdir()
        self._folder.rmdir()


def is_there() -> bool:
    """Whether this machine's kernel has it, and we may use it."""
    return CONFIGFS.is_dir() and os.access(CONFIGFS, os.W_OK)


WHY_NOT = "no kernel with gpio-sim, mounted configfs and root here (/sys/kernel/config/gpio-sim)"


@contextmanager
def sim_chip(name: str = "lineclear") -> Iterator[SimChip]:
    """A chip for the time of the block."""
    chip = SimChip(CONFIGFS / f"{name}-{os.getpid()}")
    try:
        yield chip
    finally:
        chip.remove()
