"""Why a command is not done."""

from __future__ import annotations

from typing import Literal

from edge.errors import LineclearError

ErrorCode = Literal[
    "retained",
    "oversized",
    "malformed",
    "unknown_command",
    "invalid",
    "unsigned",
    "bad_signature",
    "no_right",
    "too_old",
    "from_the_future",
    "out_of_order",
    "request_id_used",
    "interrupted",
    "starting",
    "busy",
    "refused",
    "not_recorded",
    "internal",
]


class Refused(LineclearError):
    """A command that is not done; `code` is for machines, `problems` has a line for each thing that is wrong."""

    def __init__(self, code: ErrorCode, message: str, *, remedy: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, remedy=remedy)
        self.code: ErrorCode = code
        self.problems = problems
