"""Making the checks: one after another, each within its time, whatever it meets."""

from __future__ import annotations

import importlib
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from edge.doctor.check import Case, Check, warn
from edge.errors import LineclearError

# What a library, a file or the machine may do to a check. An interrupt is none of it.
MISHAPS: Final = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError, LineclearError, LookupError,
    MemoryError, OSError, RuntimeError, subprocess.SubprocessError, SyntaxError, TypeError, ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Examination:
    """One function `look` of a module in edge/doctor, and what it answers for.

    kinds: first words of its checks' names, as docs/doctor.md lists them. needs_config: it looks at what a config names.
    limit_s: how long it may take.
    """

    module: str
    look: str
    kinds: tuple[str, ...]
    needs_config: bool = False
    limit_s: float = 5.0

    def function(self) -> Callable[[Case], Iterable[Check]]:
        """What is to be called; imported late, for the library it needs may be missing."""
        found: Callable[[Case], Iterable[Check]] = getattr(importlib.import_module(f"edge.doctor.{self.module}"), self.look)
        return found


def examine(examination: Examination, case: Case) -> Iterator[Check]:
    """Its checks as they are found. What fails or takes too long ends it with a WARN; nothing is raised.

    In a thread of its own: a disk that hangs holds that thread, and not the doctor.
    """
    found: list[Check] = []
    changed = threading.Condition()
    over = threading.Event()

    def put(check: Check) -> None:
        with changed:
            if not over.is_set():
                found.append(check)

    def work() -> None:
        try:
            for check in examination.function()(case):
                put(check)
        except MISHAPS as error:
            put(_not_made(examination, _line(error)))

    thread = threading.Thread(target=work, name=f"doctor-{examination.look}", daemon=True)
    thread.start()
    thread.join(examination.limit_s)
    with changed:
        over.set()
    if thread.is_alive():
        found.append(_not_made(examination, f"no answer within {examination.limit_s:g} s"))
    yield from found


def _not_made(examination: Examination, why: str) -> Check:
    remedy = "run the doctor again; if it stays, send its --json to who maintains the station"
    return warn(examination.kinds[0], f"could not be made ({why})", remedy)


def _line(error: BaseException) -> str:
    text = (str(error).splitlines() or [""])[0][:300]
    return text if isinstance(error, LineclearError) and text else f"{type(error).__name__}: {text}"
