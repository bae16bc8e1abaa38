"""Reading the JSON of results, whatever version wrote it: what is absent or of another type is empty, never an error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


def text(document: Document, key: str) -> str:
    """A text, or a whole number as one; "" where there is none."""
    value = document.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def number(document: Document, key: str) -> float | None:
    """A finite number."""
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def part(document: Document, key: str) -> Document:
    """An object; an empty one where there is none."""
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def parts(document: Document, key: str) -> list[Document]:
    """The objects of a list."""
    value = document.get(key)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, (list, tuple)) else []


def texts(document: Document) -> dict[str, str]:
    """All members that are texts, sorted."""
    return {key: text(document, key) for key in sorted(document) if text(document, key)}
