"""COCO JSON: polygons, run lengths of both kinds, boxes.

T.-Y. Lin et al.: Microsoft COCO: Common Objects in Context, ECCV 2014. Every annotation is an anomaly, `iscrowd` or not.
An image that is listed without annotations is good.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calibration.labels.assembling import UNNAMED, Entry, read_each
from calibration.labels.documents import (
    Fault,
    label_json,
    mapping,
    number,
    points,
    positive,
    sequence,
    shown,
    size_of,
    text_of,
)
from calibration.labels.items import Problem
from calibration.labels.rle import decode
from calibration.labels.shapes import CORNER, Polygon, Region, pack, rectangle
from edge.errors import ConfigError

Id = int | str


def looks_like_coco(document: object) -> bool:
    """True if a JSON document has the keys of a COCO file."""
    return isinstance(document, dict) and "images" in document and "annotations" in document


def read_coco(path: Path) -> tuple[list[Entry], list[Problem]]:
    """Entries by image and what cannot be read. ConfigError if the file is no COCO file."""
    document = label_json(path)
    try:
        if not looks_like_coco(document):
            raise Fault("has no images and annotations", "export it as COCO JSON")
        listed = sequence(document["images"], "images")
        annotations = sequence(document["annotations"], "annotations")
        names = _categories(document.get("categories") or [])
    except Fault as fault:
        raise ConfigError(fault.what, where=str(path), remedy=fault.remedy) from None
    file, problems = str(path), list[Problem]()
    images = _images(listed, file, problems)
    found: dict[Id, list[tuple[str, Mapping[str, Any]]]] = {key: [] for key in images}
    for at, annotation in enumerate(annotations):
        row = f"annotations[{at}]"
        try:
            values = mapping(annotation, "the annotation")
            key = _id(values.get("image_id"), "image_id")
            if key not in images:
                raise Fault(f"is for image_id {shown(key)}, which is not in images", "export it again")
            found[key].append((row, values))
        except Fault as fault:
            problems.append(Problem(file, row, fault.what, fault.remedy))
    return [_entry(*images[key], rows, names, file) for key, rows in found.items()], problems


def _images(listed: Any, file: str, problems: list[Problem]) -> dict[Id, tuple[str, str, tuple[int, int] | None]]:
    """Per id: (row, file name, declared size)."""
    images: dict[Id, tuple[str, str, tuple[int, int] | None]] = {}
    for at, image in enumerate(listed):
        row = f"images[{at}]"
        try:
            values = mapping(image, "the image")
            key = _id(values.get("id"), "id")
            if key in images:
                raise Fault(f"has the id {shown(key)} of {images[key][0]}", "export it again")
            name = text_of(values.get("file_name"), "file_name")
            images[key] = (row, name, size_of(values.get("width"), values.get("height")))
        except Fault as fault:
            problems.append(Problem(file, row, fault.what, fault.remedy))
    return images


def _entry(
    row: str,
    name: str,
    size: tuple[int, int] | None,
    annotations: list[tuple[str, Mapping[str, Any]]],
    names: Mapping[Id, str],
    file: str,
) -> Entry:
    def one(values: Mapping[str, Any]) -> list[Region]:
        key = values.get("category_id")
        kind = names.get(key, UNNAMED) if isinstance(key, (int, str)) else UNNAMED
        return _regions(values, kind, size)

    regions, problems = read_each(annotations, file, one)
    return Entry(name, row, file, regions, problems, size_wh=size)


def _regions(values: Mapping[str, Any], kind: str, size: tuple[int, int] | None) -> list[Region]:
    drawn = values.get("segmentation")
    if isinstance(drawn, dict):
        mask = decode(drawn, size)
        if not mask.any():
            raise Fault("its mask is empty", "delete it or draw it again")
        return [pack(kind, mask)]
    if isinstance(drawn, list) and drawn:
        parts = [drawn] if all(isinstance(item, (int, float)) for item in drawn) else drawn
        return [_polygon(part, kind) for part in parts]
    if drawn not in (None, []):
        raise Fault(f"its segmentation is {shown(drawn)}", "export it again")
    box = values.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise Fault("it has no segmentation and no bbox of four numbers", "draw it again")
    left, top = number(box[0], "bbox x") - CORNER, number(box[1], "bbox y") - CORNER
    return [rectangle(kind, left, top, left + positive(box[2], "bbox width"), top + positive(box[3], "bbox height"))]


def _polygon(part: Any, kind: str) -> Polygon:
    flat = sequence(part, "a part of its segmentation")
    if len(flat) % 2:
        raise Fault(f"a polygon has {len(flat)} numbers, an odd count", "export it again")
    return Polygon(kind, points(flat[0::2], flat[1::2], 3))


def _categories(listed: Any) -> dict[Id, str]:
    names: dict[Id, str] = {}
    for category in sequence(listed, "categories"):
        values = mapping(category, "a category")
        name = values.get("name")
        names[_id(values.get("id"), "a category's id")] = (
            name.strip()[:80] if isinstance(name, str) and name.strip() else UNNAMED
        )
    return names


def _id(value: Any, what: str) -> Id:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise Fault(f"{what} is {shown(value)}, not a number or a text", "export it again")
    return value
