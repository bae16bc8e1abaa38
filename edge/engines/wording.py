"""What a library or a file says, made fit for one line of a message: bounded, and nothing that a terminal would obey."""

from __future__ import annotations

__all__ = ["said"]


def said(text: object, most: int = 300) -> str:
    """On one line, control characters escaped, at most so many characters."""
    line = " ".join(str(text).split())
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line[: most + 1])
    return line if len(line) <= most else line[: most - 3] + "..."
