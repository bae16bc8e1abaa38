"""The filtered list as a file for other programs, a piece at a time, however long it is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from edge.archive import Entry

COLUMNS: Final = (
    "decided_at", "result_id", "kind", "view", "outcome", "reason", "score", "threshold", "batch", "product", "clearance_id",
    "recipe", "recipe_version",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_AT_ONCE: Final = 200


def as_csv(entries: Iterable[Entry]) -> Iterator[bytes]:
    """RFC 4180 in UTF-8 with a mark by which spreadsheets know it; times in UTC."""
    text = io.StringIO()
    rows = csv.writer(text)
    text.write("\ufeff")
    rows.writerow(COLUMNS)
    for count, entry in enumerate(entries, 1):
        rows.writerow([cell(value) for value in _values(entry)])
        if count % _AT_ONCE == 0:
            yield _taken(text)
    yield _taken(text)


def as_json_lines(entries: Iterable[Entry]) -> Iterator[bytes]:
    """One object per line, in ASCII."""
    lines: list[str] = []
    for entry in entries:
        lines.append(json.dumps(dict(zip(COLUMNS, _values(entry), strict=True)), allow_nan=False) + "\n")
        if len(lines) == _AT_ONCE:
            yield "".join(lines).encode("ascii")
            lines.clear()
    yield "".join(lines).encode("ascii")


def _values(entry: Entry) -> list[Any]:
    return [entry.decided_at.isoformat(), *(getattr(entry, name) for name in COLUMNS[1:])]


def cell(value: Any) -> Any:
    """What a spreadsheet would calculate, a leading ' keeps as text; numbers are numbers."""
    if not isinstance(value, str):
        return "" if value is None else value
    plain = value.replace("\0", "\ufffd")
    return f"'{plain}" if plain.lstrip(" ").startswith(_FORMULA) else plain


def _taken(text: io.StringIO) -> bytes:
    data = text.getvalue().encode("utf-8", "replace")
    text.seek(0)
    text.truncate()
    return data
