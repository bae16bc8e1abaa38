"""JSON in the one form that is hashed and signed: RFC 8785 (JCS), which has a library in every language. Pure.

Keys sorted by UTF-16 code units, no blanks, UTF-8, numbers as ECMAScript writes them.
"""

from __future__ import annotations

import json
import math
import sys
from decimal import Decimal
from typing import Any, Final

MAX_DEPTH: Final = 32
MAX_WHOLE: Final = 2**53
"""Beyond it not every whole number is a double."""
_MAX_DOUBLE: Final = int(sys.float_info.max)


def canonical(data: Any) -> bytes:
    """The canonical form. ValueError: not finite, too large for a double, half a character, or nested too deeply."""
    return _text(data, 0).encode("utf-8")


def _text(data: Any, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    if isinstance(data, dict):
        pairs = sorted(data.items(), key=lambda pair: pair[0].encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_string(key)}:{_text(value, depth + 1)}" for key, value in pairs) + "}"
    if isinstance(data, (list, tuple)):
        return "[" + ",".join(_text(value, depth + 1) for value in data) + "]"
    if isinstance(data, str):
        return _string(data)
    if isinstance(data, float):
        return _float(data)
    return _whole(data) if isinstance(data, int) and not isinstance(data, bool) else json.dumps(data)


def _whole(value: int) -> str:
    """Every number is a double to most languages, and so to the RFC: a longer one is the nearest of them."""
    if abs(value) <= MAX_WHOLE:
        return str(value)
    if abs(value) > _MAX_DOUBLE:
        raise ValueError("a number is not finite")
    return _float(float(value))


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _float(value: float) -> str:
    """As ECMAScript's Number::toString does (ECMA-262, 6.1.6.1.20): the shortest digits that give the same double."""
    if not math.isfinite(value):
        raise ValueError("a number is not finite")
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text, shift = "".join(map(str, digits)), int(exponent) + len(digits)
    if len(text) <= shift <= 21:
        written = text + "0" * (shift - len(text))
    elif 0 < shift <= 21:
        written = f"{text[:shift]}.{text[shift:]}"
    elif -6 < shift <= 0:
        written = f"0.{'0' * -shift}{text}"
    else:
        fraction = f".{text[1:]}" if len(text) > 1 else ""
        written = f"{text[0]}{fraction}e{shift - 1:+d}"
    return f"-{written}" if sign else written
