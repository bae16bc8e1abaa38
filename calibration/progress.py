"""How long work says how far it is, and how it is stopped."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told after each step. It cancels the work by raising `edge.errors.Cancelled`: nothing half-written stays."""

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Say that `done` of `total` steps are through; what: the step just done, such as a file's name."""
        ...


def silent(done: int, total: int, what: str = "") -> None:
    """Nobody watches."""
