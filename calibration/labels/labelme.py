"""labelme JSON: one file per image (K. Wada, github.com/wkentaro/labelme). The picture inside it, imageData, is ignored.

A file without shapes says that the image is good. Flags of the image may say good or bad too.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from calibration.labels.assembling import BAD_WORDS, GOOD_WORDS, UNNAMED, Entry, plain, read_each
from calibration.labels.documents import Fault, label_json, mapping, points, positive, sequence, shown, size_of, text_of
from calibration.labels.items import Label
from calibration.labels.pictures import decode_mask
from calibration.labels.shapes import CORNER, Ellipse, Point, Points, Polygon, Polyline, Region, pack, rectangle
from edge.errors import ConfigError


def looks_like_labelme(document: object) -> bool:
    """True if a JSON document has the keys of a labelme file."""
    return isinstance(document, dict) and "shapes" in document


def read_labelme(path: Path) -> Entry:
    """What it says of its image. ConfigError if it is no labelme file."""
    document = label_json(path)
    try:
        if not looks_like_labelme(document):
            raise Fault("has no shapes", "this is no labelme file: take it away or export it again")
        shapes = sequence(document["shapes"], "shapes")
        name = text_of(document.get("imagePath"), "imagePath")
        size = size_of(document.get("imageWidth"), document.get("imageHeight"))
        says = _said_by(document.get("flags") or {})
    except Fault as fault:
        raise ConfigError(fault.what, where=str(path), remedy=fault.remedy) from None
    numbered = ((f"shapes[{at}]", shape) for at, shape in enumerate(shapes))
    regions, problems = read_each(numbered, str(path), lambda shape: _shape(mapping(shape, "the shape")))
    return Entry(name, "", str(path), regions, problems, says, size, last_part_only=True)


def _shape(values: Mapping[str, Any]) -> Region | list[Region]:
    label, name = values.get("label"), values.get("shape_type") or "polygon"
    kind = label.strip()[:80] if isinstance(label, str) and label.strip() else UNNAMED
    if name == "polygon":
        return Polygon(kind, _corners(values, 3))
    if name in ("line", "linestrip"):
        return Polyline(kind, _corners(values, 1))
    if name in ("point", "points"):
        return [Point(kind, float(x), float(y)) for x, y in _corners(values, 1)]
    corners = _corners(values, 2)
    if name == "rectangle":
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        positive(float(right - left), "width")
        positive(float(bottom - top), "height")
        return rectangle(kind, float(left), float(top), float(right), float(bottom))
    if len(corners) == 2 and name == "circle":
        radius = positive(float(np.hypot(*(corners[1] - corners[0]))), "the radius")
        return Ellipse(kind, (float(corners[0, 0]), float(corners[0, 1])), (radius, radius))
    if len(corners) == 2 and name == "mask":
        return _mask(values.get("mask"), corners + CORNER, kind)
    known = "polygon, rectangle, circle, line, linestrip, point and mask can be read"
    raise Fault(f"its shape is {shown(name)} with {len(corners)} points", f"{known}: draw it again")


def _corners(values: Mapping[str, Any], at_least: int) -> Points:
    pairs = sequence(values.get("points"), "points")
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise Fault("its points are no pairs of numbers", "draw it again")
    return points([pair[0] for pair in pairs], [pair[1] for pair in pairs], at_least)


def _mask(coded: Any, corners: Points, kind: str) -> Region:
    """The mask is cut to its box, whose second corner is the last pixel inside; some tools write the one behind it."""
    (left, top), (right, bottom) = (np.rint(corner).astype(int) for corner in (corners.min(axis=0), corners.max(axis=0)))
    try:
        data = base64.b64decode(text_of(coded, "its mask"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise error if isinstance(error, Fault) else Fault("its mask is no base64", "draw it again") from None
    box = (int(right - left), int(bottom - top))
    mask = decode_mask(data, lambda found: found in (box, (box[0] + 1, box[1] + 1)), f"its box is {box[0]}x{box[1]}")
    if not mask.any():
        raise Fault("its mask is empty", "delete it or draw it again")
    return pack(kind, mask, int(left), int(top))


def _said_by(flags: Any) -> Label | None:
    said = {plain(name) for name, ticked in mapping(flags, "flags").items() if ticked is True}
    if said & BAD_WORDS:
        return "bad"
    return "good" if said & GOOD_WORDS else None
