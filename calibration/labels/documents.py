"""Text and numbers from label files, which come from anywhere: bounded in size and depth, and every number checked."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibration.labels.shapes import CORNER, Points
from edge.cameras.images import MAX_PIXELS
from edge.errors import ConfigError
from edge.schema import read_text

MAX_FILE_BYTES = 128_000_000
MAX_DEPTH = 16
MAX_POINTS = 20_000
MAX_COORDINATE = 1e6
_UNDEFINED = re.compile(r'"(?:[^"\\]|\\.)*"|\bundefined\b')


class Fault(ValueError):
    """One entry cannot be used: what is wrong with it and what to do. The reader adds file and row."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what = what
        self.remedy = remedy


def label_text(path: Path) -> str:
    """The whole file as text, without a byte order mark, each line ended by one newline. ConfigError."""
    if path.exists() and not path.is_file():  # a pipe would be waited for, for ever
        raise ConfigError("is no file", where=str(path), remedy="name a label file")
    text = read_text(path, MAX_FILE_BYTES)
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def label_json(path: Path) -> Any:
    """A label file's JSON. ConfigError if it is none, is nested too deeply or writes a key twice."""
    try:
        return parsed(label_text(path))
    except Fault as fault:
        raise ConfigError(fault.what, where=str(path), remedy=fault.remedy) from None


def parsed(text: str) -> Any:
    """JSON as VIA writes it: the bare word `undefined` counts as null. Fault where it is no JSON."""
    try:
        document = json.loads(_without_undefined(text), object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise Fault(f"no valid JSON (line {error.lineno}: {error.msg})", "export it again") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, Fault):
            raise
        raise Fault("no valid JSON (nested too deeply, or a number too long)", "export it again") from None
    _check_depth(document)
    return document


def number(value: Any, what: str) -> float:
    """A finite number of a sensible size; numbers written as text are taken. Fault."""
    if isinstance(value, str) and len(value) <= 40:
        try:
            value = float(value)
        except ValueError:
            raise Fault(f"{what} is {shown(value)}, not a number", "mend it, or draw the region again") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Fault(f"{what} is {shown(value)}, not a number", "mend it, or draw the region again")
    if not abs(value) <= MAX_COORDINATE:
        remedy = f"at most {MAX_COORDINATE:.0f} pixels can be read; draw the region again"
        raise Fault(f"{what} is {value:.3g}" if isinstance(value, float) else f"{what} is too large", remedy)
    return float(value)


def positive(value: Any, what: str) -> float:
    """A number above zero. Fault."""
    result = number(value, what)
    if result < 1e-3:
        raise Fault(f"{what} is {result:g}: the region has no area", "draw it again or delete it")
    return result


def whole(value: Any, what: str) -> int:
    """A whole number, also one written as text or as 3.0. Fault."""
    result = number(value, what)
    if not math.isfinite(result) or result != int(result):
        raise Fault(f"{what} is {result:g}, not a whole number", "mend it, or export it again")
    return int(result)


def points(x: Any, y: Any, at_least: int) -> Points:
    """Corner coordinates in two lists -> float64 Nx2 with (0, 0) at a pixel's centre. Fault."""
    if not isinstance(x, list) or not isinstance(y, list):
        raise Fault("its points are no lists of numbers", "draw the region again")
    if len(x) != len(y):
        raise Fault(f"it has {len(x)} x and {len(y)} y coordinates", "draw the region again")
    if len(x) > MAX_POINTS:
        raise Fault(f"it has {len(x)} points", f"at most {MAX_POINTS} can be read: draw it with fewer, or as a mask")
    values = [[number(a, "x"), number(b, "y")] for a, b in zip(x, y, strict=True)]
    different = len({tuple(value) for value in values})
    if different < at_least:
        raise Fault(f"it has {different} different points, not {at_least}", "draw the region again or delete it")
    return np.array(values, np.float64) - CORNER


def size_of(width: Any, height: Any) -> tuple[int, int] | None:
    """The image size that a label file declares, or None where it declares none. Fault."""
    if width is None and height is None:
        return None
    size = whole(width, "the image's width"), whole(height, "the image's height")
    if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
        raise Fault(f"the image's size is {size[0]}x{size[1]}", f"export it again; at most {MAX_PIXELS // 10**6} megapixels")
    return size


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """A JSON object. Fault."""
    if not isinstance(value, dict):
        raise Fault(f"{what} is {shown(value)}, not an object {{...}}", "export it again")
    return value


def sequence(value: Any, what: str) -> Sequence[Any]:
    """A JSON list. Fault."""
    if not isinstance(value, list):
        raise Fault(f"{what} is {shown(value)}, not a list", "export it again")
    return value


def text_of(value: Any, what: str) -> str:
    """A text that is not empty. Fault."""
    if not isinstance(value, str) or not value.strip():
        raise Fault(f"{what} is {shown(value)}, not a text", "export it again")
    return value


def shown(value: Any, longest: int = 60) -> str:
    """A value as a person may read it in a message."""
    text = repr(value) if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _without_undefined(text: str) -> str:
    if "undefined" not in text:
        return text
    return _UNDEFINED.sub(lambda found: "null" if found.group() == "undefined" else found.group(), text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key that is written twice would lose the first in silence."""
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Fault(f"the key {shown(twice)} is written twice", "export it again")
    return result


def _check_depth(document: Any) -> None:
    level = [document] if isinstance(document, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        inner = (item for value in level for item in (value.values() if isinstance(value, dict) else value))
        level = [item for item in inner if isinstance(item, (dict, list))]
        if not level:
            return
    raise Fault(f"nested deeper than {MAX_DEPTH}", "this is no label file")
