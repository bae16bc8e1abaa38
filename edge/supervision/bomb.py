"""The last line: ends a process whose interpreter is held by a library, where no thread of Python runs any more."""

from __future__ import annotations

import faulthandler
import sys
from typing import Final

STATUS: Final = 1
"""The exit status that faulthandler gives."""


class Bomb:
    """A timer in C that needs no interpreter lock: it writes every thread's stack to standard error, then ends the process.

    Put it off again and again; there is one per process.
    """

    def arm(self, after_s: float) -> None:
        """Goes off after so many seconds unless armed again or disarmed before."""
        stream = sys.__stderr__
        if stream is not None:
            faulthandler.dump_traceback_later(after_s, exit=True, file=stream)

    def disarm(self) -> None:
        """It does not go off."""
        faulthandler.cancel_dump_traceback_later()


class NoBomb(Bomb):
    """For stations that share their process with others: a demo, a check, a test."""

    def arm(self, after_s: float) -> None:
        """Does nothing."""

    def disarm(self) -> None:
        """Does nothing."""
