"""Passwords: argon2id hashes, what makes a password good enough, and passwords that somebody else hands out."""

from __future__ import annotations

import re
import secrets
import threading
import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from calibration.web.access.common_passwords import COMMON, RUNS
from edge.errors import LineclearError

MAX_LENGTH: Final = 128
AT_ONCE: Final = 2
WAIT_S: Final = 10.0
_EASY_TO_READ: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_LEET: Final = str.maketrans("0134578@$!", "oieastbasi")


class PasswordsBusy(LineclearError):
    """Too many sign-ins at this moment."""


class Passwords:
    """Hashes and checks. At most AT_ONCE at a time: each takes 64 MiB of the box for a tenth of a second.

    hasher: its parameters; argon2id as RFC 9106 has it for small memory.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)
        self._turn = threading.BoundedSemaphore(AT_ONCE)
        self._nobody = self._hasher.hash(secrets.token_urlsafe(32))

    def hash(self, password: str) -> str:
        """What is kept of a password."""
        with _Turn(self._turn):
            return self._hasher.hash(_normal(password))

    def check(self, kept: str | None, password: str) -> bool:
        """Whether it is this one. None: a user that there is not; takes as long, and is never right."""
        if len(password) > MAX_LENGTH:
            password = ""
        with _Turn(self._turn):
            try:
                self._hasher.verify(kept or self._nobody, _normal(password))
            except (VerificationError, InvalidHashError):
                return False
        return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """True if it was hashed with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)


class _Turn:
    def __init__(self, semaphore: threading.BoundedSemaphore) -> None:
        self._semaphore = semaphore

    def __enter__(self) -> None:
        if not self._semaphore.acquire(timeout=WAIT_S):
            raise PasswordsBusy("too many people sign in at this moment", remedy="try again in a minute")

    def __exit__(self, *_: object) -> None:
        self._semaphore.release()


def one_time_password() -> str:
    """Four groups of four letters and digits that are not mistaken for each other: 79 bits."""
    return "-".join("".join(secrets.choice(_EASY_TO_READ) for _ in range(4)) for _ in range(4))


def weakness(password: str, *, min_length: int, about: tuple[str, ...] = ()) -> str | None:
    """The key of the message that says why a password is refused, None if it is good. about: names that it must not be
    made of.
    """
    text = _normal(password)
    if len(text) < min_length:
        return "base.password_too_short"
    if len(text) > MAX_LENGTH:
        return "base.password_too_long"
    if any(unicodedata.category(character) in ("Cc", "Cs", "Cn") for character in text):
        return "base.password_odd_characters"
    lowered = text.casefold()
    if len(set(lowered)) < 5 or _is_run(lowered):
        return "base.password_too_simple"
    if _core(lowered) in COMMON or lowered in COMMON or _core(lowered).translate(_LEET) in COMMON:
        return "base.password_common"
    for name in about:
        part = name.casefold().strip()
        if len(part) >= 3 and part in lowered and len(lowered) - len(part) < min_length:
            return "base.password_is_name"
    return None


def _normal(password: str) -> str:
    """The same password whichever keyboard composed its letters."""
    return unicodedata.normalize("NFKC", password)


def _core(lowered: str) -> str:
    """Without what people add to a word to make it longer: digits and signs around it."""
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", lowered)


def _is_run(lowered: str) -> bool:
    """True if it is a piece of a row of keys or of the alphabet, once or repeated, in either direction."""
    for length in range(1, len(lowered) // 2 + 1):
        if (lowered[:length] * (len(lowered) // length + 1))[: len(lowered)] == lowered and length <= 4:
            return True
    return any(lowered in run or lowered in run[::-1] for run in RUNS)
