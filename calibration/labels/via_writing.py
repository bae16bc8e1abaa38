"""Regions -> VIA 2 exports, which VIA and `read_labels` take back."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from calibration.labels.items import Labelled
from calibration.labels.shapes import CORNER, Ellipse, Point, Points, Polygon, Polyline, Raster
from edge.durable import replace_file
from edge.errors import ConfigError

HEADER = (
    "#filename",
    "file_size",
    "file_attributes",
    "region_count",
    "region_id",
    "region_shape_attributes",
    "region_attributes",
)


def write_via_csv(path: Path, items: Sequence[Labelled]) -> None:
    """One row per region, and one for each image without any. ConfigError; the file is whole or not there."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    text.write(",".join(HEADER) + "\n")
    for item in items:
        says, size = json.dumps(_says(item)), _file_size(item)
        if not item.regions:
            rows.writerow((item.path.name, size, says, 0, 0, "{}", "{}"))
        for number, (drawn, attributes) in enumerate(_regions(item)):
            rows.writerow((item.path.name, size, says, len(item.regions), number, json.dumps(drawn), json.dumps(attributes)))
    _write(path, text.getvalue())


def write_via_json(path: Path, items: Sequence[Labelled]) -> None:
    """The same as JSON. ConfigError; the file is whole or not there."""
    document = {
        f"{item.path.name}{_file_size(item)}": {
            "filename": item.path.name,
            "size": _file_size(item),
            "regions": [{"shape_attributes": drawn, "region_attributes": attributes} for drawn, attributes in _regions(item)],
            "file_attributes": _says(item),
        }
        for item in items
    }
    _write(path, json.dumps(document, allow_nan=False))


def _says(item: Labelled) -> dict[str, str]:
    return {"label": "bad"} if item.label == "bad" and not item.regions else {}


def _file_size(item: Labelled) -> int:
    try:
        return item.path.stat().st_size
    except OSError:
        return -1


def _regions(item: Labelled) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    for region in item.regions:
        if isinstance(region, Raster):
            remedy = "VIA knows outlines only: write its mask as a picture"
            raise ConfigError(f"the region {region.kind!r} is made of pixels", where=str(item.path), remedy=remedy)
        yield _shape(region), {"label": region.kind}


def _shape(region: Polygon | Polyline | Ellipse | Point) -> dict[str, Any]:
    if isinstance(region, Point):
        return {"name": "point", "cx": _short(region.x + CORNER), "cy": _short(region.y + CORNER)}
    if isinstance(region, Ellipse):
        centre = {"cx": _short(region.centre[0] + CORNER), "cy": _short(region.centre[1] + CORNER)}
        if region.radii[0] == region.radii[1]:
            return {"name": "circle", **centre, "r": _short(region.radii[0])}
        radii = {"rx": _short(region.radii[0]), "ry": _short(region.radii[1])}
        return {"name": "ellipse", **centre, **radii, "theta": _short(region.theta_rad)}
    box = _as_rectangle(region.points) if isinstance(region, Polygon) else None
    if box is not None:
        return {"name": "rect", **dict(zip(("x", "y", "width", "height"), box, strict=True))}
    name = "polygon" if isinstance(region, Polygon) else "polyline"
    x, y = ([_short(value) for value in (region.points[:, axis] + CORNER).tolist()] for axis in (0, 1))
    return {"name": name, "all_points_x": x, "all_points_y": y}


def _as_rectangle(points: Points) -> tuple[float, float, float, float] | None:
    """x, y, width, height, if these give the very same corners again."""
    if len(points) != 4:
        return None
    (left, top), (right, bottom) = points[0].tolist(), points[2].tolist()
    if points.tolist() != [[left, top], [right, top], [right, bottom], [left, bottom]]:
        return None
    width, height = right - left, bottom - top
    if not (width > 0 and height > 0 and left + width == right and top + height == bottom):
        return None
    return _short(left + CORNER), _short(top + CORNER), _short(width), _short(height)


def _short(value: float) -> float:
    """A whole number as VIA writes it."""
    if not math.isfinite(value):
        raise ConfigError(f"a region holds {value}", remedy="labels are made of finite numbers")
    return int(value) if value == int(value) else value


def _write(path: Path, text: str) -> None:
    try:
        replace_file(path, text.encode("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", where=str(path), remedy="check space and rights") from None
