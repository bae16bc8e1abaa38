"""An error of the software in the reader's words: of which kind it is and what to do. Its own message is English.

The words are found by the error's class: `refusals.archive_error` for ArchiveError, else those of its base. What the station
refuses is worded by the code of its reply, what a disk refuses by the disk's reason. So a new kind of error only needs words.
"""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from calibration.web.language import Words
from calibration.web.link import StationRefused
from edge.errors import ConfigError, LineclearError

_CAPITAL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_BROKEN: Final = (errno.EROFS, errno.EIO)
ENGLISH: Final = "en"


@dataclass(frozen=True)
class Worded:
    """headline, what_to_do: in the reader's language. own: what the software itself says, always in English."""

    headline: str
    what_to_do: str
    own: str


def worded(words: Words, language: str, error: LineclearError) -> Worded:
    """An error in the reader's words."""
    key = f"refusals.{kind_of(error, words.knows)}"
    return Worded(words.say(language, key), words.say(language, f"{key}_do"), own_text(error))


def in_one(words: Words, language: str, error: LineclearError) -> str:
    """An error in one line: for lists and notices. In English its own message says more than its kind."""
    if language == ENGLISH:
        return ": ".join(part for part in (error.message, error.remedy) if part)
    told = worded(words, language, error)
    return f"{told.headline} {told.what_to_do} ({words.say(language, 'refusals.own')} {told.own})"


def own_text(error: LineclearError) -> str:
    """Everything that an error says by itself, a line for each problem."""
    if len(_problems(error)) < 2:
        return str(error)
    return "\n".join((*_problems(error), *filter(None, (error.remedy,))))


def own_message(error: LineclearError) -> str:
    """The same without where and what to do."""
    return "\n".join(_problems(error)) if len(_problems(error)) > 1 else error.message


def _problems(error: LineclearError) -> tuple[str, ...]:
    return tuple(error.problems) if isinstance(error, (ConfigError, StationRefused)) else ()


def kind_of(error: LineclearError, knows: Callable[[str], bool]) -> str:
    """The key of its words below `refusals.`."""
    disk = disk_kind(error)
    if disk:
        return disk
    if isinstance(error, StationRefused):
        named = f"station_{error.code}"
        return named if knows(f"refusals.{named}") else "station_refused"
    names = (_CAPITAL.sub("_", kind.__name__).lower() for kind in type(error).__mro__)
    return next((name for name in names if knows(f"refusals.{name}")), "lineclear_error")


def disk_kind(error: BaseException) -> str:
    """`disk_full` or `disk_broken` where that is what lies beneath, else empty."""
    for cause in _chain(error):
        number = getattr(cause, "errno", None) if isinstance(cause, OSError) else None
        if number in _FULL or (isinstance(cause, sqlite3.Error) and "disk is full" in str(cause)):
            return "disk_full"
        if number in _BROKEN or (isinstance(cause, sqlite3.Error) and ("disk I/O" in str(cause) or "readonly" in str(cause))):
            return "disk_broken"
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
