"""The shapes and words of a VIA region. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calibration.labels.assembling import BAD_WORDS, GOOD_WORDS, UNNAMED, plain
from calibration.labels.documents import Fault, number, points, positive, shown
from calibration.labels.items import Label
from calibration.labels.shapes import CORNER, Ellipse, Point, Polygon, Polyline, Region, rectangle

KIND_ATTRIBUTES = ("label", "class", "kind", "type", "defect", "category", "name")


def folded(name: str) -> str:
    """An attribute's name without case and outer spaces: people write Label, label and LABEL in one project."""
    return name.strip().casefold()


def shape(drawn: Mapping[str, Any], attributes: Mapping[str, Any]) -> Region:
    """One region from its shape attributes and region attributes. Fault if it cannot be drawn."""
    values = {folded(key): value for key, value in drawn.items()}
    name, kind = values.get("name"), kind_from(attributes)
    if name == "rect":
        left, top = number(values.get("x"), "x") - CORNER, number(values.get("y"), "y") - CORNER
        width, height = positive(values.get("width"), "width"), positive(values.get("height"), "height")
        return rectangle(kind, left, top, left + width, top + height)
    if name in ("circle", "ellipse", "point"):
        x, y = number(values.get("cx"), "cx") - CORNER, number(values.get("cy"), "cy") - CORNER
        if name == "point":
            return Point(kind, x, y)
        if name == "circle":
            radius = positive(values.get("r"), "r")
            return Ellipse(kind, (x, y), (radius, radius))
        radii = positive(values.get("rx"), "rx"), positive(values.get("ry"), "ry")
        return Ellipse(kind, (x, y), radii, number(values.get("theta") or 0.0, "theta"))
    if name == "polygon":
        return Polygon(kind, points(values.get("all_points_x"), values.get("all_points_y"), 3))
    if name == "polyline":
        return Polyline(kind, points(values.get("all_points_x"), values.get("all_points_y"), 1))
    known = "rect, circle, ellipse, polygon, polyline and point can be read"
    raise Fault(f"its shape is {shown(name)}", f"{known}: draw it again")


def kind_from(attributes: Mapping[str, Any]) -> str:
    """The defect's name: the first of KIND_ATTRIBUTES that says one, else the only attribute there is."""
    words = {folded(key): _word(value) for key, value in attributes.items() if _word(value)}
    for name in KIND_ATTRIBUTES:
        if name in words:
            return words[name]
    return next(iter(words.values())) if len(words) == 1 else UNNAMED


def said_by(attributes: Mapping[str, Any]) -> Label | None:
    """Whether file attributes call the image good or bad; None if they say neither."""
    words = {folded(key): plain(_word(value)) for key, value in attributes.items()}
    said = {words[name] for name in KIND_ATTRIBUTES if name in words}
    if said & BAD_WORDS:
        return "bad"
    return "good" if said & GOOD_WORDS else None


def _word(value: Any) -> str:
    """Text of a text, dropdown or radio attribute; of checkboxes those that are ticked."""
    if isinstance(value, dict):
        return "+".join(key for key, ticked in value.items() if ticked is True)
    return value.strip()[:80] if isinstance(value, str) else ""
