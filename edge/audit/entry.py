"""One entry of the audit log, as a value and as the line of JSON that is hashed. Pure.

A line is one JSON object in ASCII whose last member is `"sha256"`: the SHA-256 of the line as it is without that member.
`previous` is the sha256 of the entry before, so every entry pins all that came before it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from enum import Enum
from typing import Any, Final

from typing_extensions import Self

from edge.errors import LineclearError

MAX_LINE_BYTES: Final = 64 * 1024
NOTHING_BEFORE: Final = "0" * 64
_SEAL: Final = re.compile(rb',"sha256":"([0-9a-f]{64})"\}')
_SEAL_BYTES: Final = len(b',"sha256":""}') + 64
_ANCHOR: Final = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})")


class AuditError(LineclearError):
    """The audit log cannot be written or read; a change that cannot be audited must not be made."""


class EntryRefused(AuditError):
    """One entry that cannot be written as it is (nobody named, no JSON, too long); the log itself is sound."""


class Action(str, Enum):
    """What was done. The values are in every log that was ever written: they never change."""

    THRESHOLD = "threshold"
    MASK = "mask"
    RECIPE = "recipe"
    REFERENCE = "reference"
    BUNDLE = "bundle"
    CONFIG = "config"
    USER = "user"
    OVERRIDE = "override"
    CHALLENGE = "challenge"
    CHANGEOVER = "changeover"
    CLEARANCE = "clearance"
    COMMAND = "command"
    START = "start"
    STOP = "stop"
    RELOAD = "reload"
    CLOCK_JUMP = "clock_jump"
    PURGE = "purge"
    EXPORT = "export"
    LABEL = "label"
    CAMERA = "camera"
    REPAIR = "repair"  # written by the log itself, when it found its own end damaged


@dataclass(frozen=True)
class Anchor:
    """The head of a chain: a number and a hash that were true once and must stay true for ever."""

    sequence: int
    sha256: str

    def __str__(self) -> str:
        """`sequence:sha256`, as it stands in `health` and after `--anchor`."""
        return f"{self.sequence}:{self.sha256}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The anchor that `str` wrote; AuditError for anything else."""
        found = _ANCHOR.fullmatch(text)
        if found is None:
            remedy = "write it as health shows it: the number, a colon, 64 hexadecimal digits"
            raise AuditError(f"{text[:80]!r} is no anchor", remedy=remedy)
        return cls(int(found[1]), found[2])


@dataclass(frozen=True)
class Entry:
    """Who did what to what, why, and what it was before and after.

    sequence: 1, 2, 3, ... without a gap. at: UTC. monotonic_ns: the machine's clock since it booted, which nobody can set;
    boot: the id of that boot ("" where the system has none). before, after: small JSON. previous: sha256 of the entry
    before. sha256: its own, "" until it is written.
    """

    sequence: int
    at: datetime
    monotonic_ns: int
    boot: str
    who: str
    action: Action
    subject: str
    why: str
    before: Any
    after: Any
    previous: str
    sha256: str = field(default="")

    @property
    def anchor(self) -> Anchor:
        """Number and hash of this entry."""
        return Anchor(self.sequence, self.sha256)

    def document(self) -> dict[str, Any]:
        """The entry as the JSON object of its line."""
        return {**asdict(self), "at": _time_text(self.at), "action": self.action.value}


def encode(entry: Entry) -> tuple[bytes, Entry]:
    """The line of an entry, line end included, and the entry with its hash.

    EntryRefused: nobody is named, before or after is no JSON, or it is all too long.
    """
    if not entry.who.strip():
        raise EntryRefused("nobody is named", where=f"audit entry {entry.action.value}", remedy="say who makes the change")
    document = {name: value for name, value in entry.document().items() if name != "sha256"}
    try:
        body = json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        remedy = "give numbers that are finite, texts, lists and mappings"
        raise EntryRefused(
            f"before or after is no JSON ({error})", where=f"audit entry {entry.action.value}", remedy=remedy
        ) from None
    sha256 = hashlib.sha256(body).hexdigest()
    line = body[:-1] + b',"sha256":"' + sha256.encode("ascii") + b'"}\n'
    if len(line) > MAX_LINE_BYTES:
        remedy = f"at most {MAX_LINE_BYTES}: name the file and its hash in place of its contents"
        raise EntryRefused(f"takes {len(line)} bytes", where=f"audit entry {entry.action.value}", remedy=remedy)
    return line, replace(entry, sha256=sha256)


def decode(line: bytes) -> Entry | None:
    """The entry of a line without its line end; None if a single byte of it is not as it was written."""
    seal = _SEAL.fullmatch(line[-_SEAL_BYTES:])
    if seal is None or not line.startswith(b"{"):
        return None
    sha256 = seal[1].decode("ascii")
    body = line[:-_SEAL_BYTES] + b"}"
    if hashlib.sha256(body).hexdigest() != sha256:
        return None
    try:
        return _entry(json.loads(body), sha256)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None  # hashed by somebody else than `encode`


def _entry(document: Mapping[str, Any], sha256: str) -> Entry:
    at = datetime.fromisoformat(str(document["at"]).replace("Z", "+00:00"))
    if at.tzinfo is None or type(document["sequence"]) is not int:
        raise ValueError("not an entry")
    texts = {name: str(document[name]) for name in ("boot", "who", "subject", "why", "previous")}
    return Entry(
        sequence=document["sequence"],
        at=at,
        monotonic_ns=int(document["monotonic_ns"]),
        action=Action(document["action"]),
        before=document["before"],
        after=document["after"],
        sha256=sha256,
        **texts,
    )


def _time_text(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
