"""What a route raises when it will not do something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge.errors import LineclearError


class Refused(LineclearError):
    """A request that is not done. message: a text, or the key of one with its values, in the reader's language."""

    def __init__(self, message: str, status: int = 400, *, where: str = "", remedy: str = "", **values: Any) -> None:
        super().__init__(message, where=where, remedy=remedy)
        self.status = status
        self.values = values

    def text(self, say: Callable[..., str]) -> str:
        """The message; say: looks up a key."""
        is_key = " " not in self.message and "." in self.message
        return say(self.message, **self.values) if is_key else self.message


class SignInNeeded(LineclearError):
    """Nobody is signed in, or the session is locked. path: where to go."""

    def __init__(self, path: str = "/sign-in", *, locked: bool = False) -> None:
        super().__init__("nobody is signed in")
        self.path = path
        self.locked = locked
