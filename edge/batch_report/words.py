"""Names, numbers and times as a report writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timezone

from edge.batch_report.blocks import Mark
from edge.batch_report.fields import Document, part, text

UNKNOWN = "not recorded"
_LONG = 160
_SPELT = 120


def printable(raw: str) -> str:
    """One line that looks like what it is: line breaks, control characters and direction overrides are escaped."""
    safe = raw.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in safe)


def short(raw: str, limit: int = _LONG) -> str:
    """The same, and if it is too long its beginning with its length."""
    line = printable(raw[: limit + 1])
    return line if len(raw) <= limit and len(line) <= 2 * limit else f"{line[:limit]}... ({len(raw)} characters)"


def name_pairs(what: str, raw: str) -> list[tuple[str, str]]:
    """A name in full, and spelt out where it can be mistaken for another one."""
    if not raw:
        return [(what, "(empty)")]
    pairs = [(what, printable(raw))]
    if len(raw) > _LONG:
        return [*pairs, (f"{what}, SHA-256", hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest())]
    if not raw.isascii() and len(raw) <= _SPELT:
        pairs.append((f"{what}, spelt", raw.encode("ascii", "backslashreplace").decode("ascii")))
    return pairs


def instant(moment: datetime) -> str:
    """`2026-11-22 07:15:03 UTC`."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def clock(moment: datetime) -> str:
    """The same where the column says that it is UTC."""
    return instant(moment).removesuffix(" UTC")


def instant_text(raw: str) -> str:
    """The same of a time as published; what is no time stays as it is."""
    try:
        moment = datetime.fromisoformat(raw.replace("Z", "+00:00"))
        return instant(moment) if moment.tzinfo is not None else short(raw)
    except (ValueError, OverflowError):
        return short(raw) or UNKNOWN


def figure(value: float | None) -> str:
    """Four digits, a hyphen where there is none."""
    return "-" if value is None else f"{value:.4g}"


def against(score: float | None, threshold: float | None) -> str:
    """A score and what it means."""
    if score is None:
        return "no score"
    if threshold is None:
        return f"{figure(score)}, no threshold"
    share = f" ({score / threshold:.0%} of it)" if threshold > 0 else ""
    return f"{figure(score)} against threshold {figure(threshold)}{share}"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 frame`, `2 frames`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def size(size_bytes: int) -> str:
    """Bytes for people."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"


def mark(outcome: str, who: str = "") -> Mark:
    """An outcome by its word; a release by the person."""
    word = short(outcome, 40).replace("_", " ") or "UNKNOWN"
    return Mark(outcome, f"{word} {short(who, 60)}" if who else word)


def reason(document: Document) -> str:
    """`camera_lost: what happened`, "" without one."""
    found = part(document, "reason")
    return said(found)


def said(found: Document) -> str:
    """A reason that stands by itself."""
    return ": ".join(each for each in (short(text(found, "code"), 60), short(text(found, "detail"), 400)) if each)


def listed(values: Mapping[str, int]) -> str:
    """`2 PASS, 1 FAIL`."""
    return ", ".join(f"{number} {short(name, 40).replace('_', ' ')}" for name, number in values.items()) or "none"
