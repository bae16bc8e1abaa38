"""VGG Image Annotator: CSV and JSON exports of versions 1 and 2, and the project file of version 2.

A. Dutta, A. Zisserman: The VIA Annotation Software for Images, Audio and Video, ACM Multimedia 2019,
doi:10.1145/3343031.3350535. A row without a region (`region_count` 0 or -1) says that a person looked at the image and
drew nothing: it is good. An export of version 3 has another layout and is refused by name.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calibration.labels.assembling import Entry, read_each
from calibration.labels.documents import Fault, label_json, label_text, mapping, parsed, shown, text_of
from calibration.labels.items import Problem
from calibration.labels.via_shapes import folded, said_by, shape
from edge.errors import ConfigError

COLUMNS = ("filename", "region_count", "region_shape_attributes", "region_attributes", "file_attributes", "file_size")
NEEDED = ("filename", "region_shape_attributes")
PROJECT = "_via_img_metadata"

Drawn = tuple[Mapping[str, Any], Mapping[str, Any]]


@dataclass
class _Image:
    row: str
    size: str
    count: int | None = None
    says: Mapping[str, Any] = field(default_factory=dict)
    shapes: list[tuple[str, Drawn]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_csv(path: Path) -> tuple[list[Entry], list[Problem]]:
    """Entries by image and the rows that cannot be read. ConfigError if the file is no VIA CSV at all."""
    rows, problems = _rows(path)
    columns = _columns(path, rows[0][1] if rows else [])
    images: dict[str, _Image] = {}
    for row, cells in rows[1:]:
        try:
            _take(images, row, {name: cells[at] for name, at in columns.items() if at < len(cells)}, str(path))
        except Fault as fault:
            problems.append(Problem(str(path), row, fault.what, fault.remedy))
    return [_entry(name, image, str(path)) for name, image in images.items()], problems


def read_json(path: Path) -> tuple[list[Entry], list[Problem]]:
    """Entries by image and what cannot be read, of an export or a project. ConfigError if the file is neither."""
    document = label_json(path)
    if isinstance(document, dict) and PROJECT in document:
        document = document[PROJECT]
    if not isinstance(document, dict):
        raise ConfigError("holds no VIA annotations", where=str(path), remedy="export it from VIA as JSON")
    entries, problems = [], []
    for key, image in document.items():
        try:
            entries.append(_json_entry(f"key {shown(key)}", mapping(image, "the entry"), str(path)))
        except Fault as fault:
            problems.append(Problem(str(path), f"key {shown(key)}", fault.what, fault.remedy))
    return entries, problems


def looks_like_via(document: object) -> bool:
    """True if a JSON document has the keys of a VIA export or project."""
    if not isinstance(document, dict):
        return False
    images = document.get(PROJECT, document)
    return isinstance(images, dict) and all(isinstance(v, dict) and "filename" in v for v in images.values())


def _rows(path: Path) -> tuple[list[tuple[str, list[str]]], list[Problem]]:
    """Cells by row. VIA writes one row per line, so that a line with a broken quote spoils no other."""
    rows: list[tuple[str, list[str]]] = []
    problems: list[Problem] = []
    text = label_text(path)
    before = csv.field_size_limit(len(text) + 1)
    try:
        for number, line in enumerate(text.split("\n"), 1):
            try:
                cells = next(csv.reader([line], strict=True), []) if line.strip() else []
            except csv.Error as error:
                problems.append(Problem(str(path), f"row {number}", f"is no CSV ({error})", "export it again"))
                continue
            if cells:
                rows.append((f"row {number}", cells))
    finally:
        csv.field_size_limit(before)
    return rows, problems


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    names = [folded(cell.lstrip("# ")) for cell in header]
    if names and names[0].startswith("csv_header"):
        remedy = "export it with VIA 2, or as COCO JSON"
        raise ConfigError("is an export of VIA 3, which has another layout", where=str(path), remedy=remedy)
    missing = [name for name in NEEDED if name not in names]
    if missing:
        remedy = f"the first line of a VIA CSV names its columns: {', '.join(COLUMNS)}"
        raise ConfigError(f"has no column {' and no column '.join(missing)}", where=str(path), remedy=remedy)
    return {name: names.index(name) for name in COLUMNS if name in names}


def _take(images: dict[str, _Image], row: str, cells: dict[str, str], file: str) -> None:
    missing = [name for name in NEEDED if name not in cells]
    if missing:
        raise Fault(f"has no cell for {', '.join(missing)}", "export it again")
    name = text_of(cells["filename"], "filename").strip()
    image = images.setdefault(name, _Image(row, cells.get("file_size", "")))
    if image.size != cells.get("file_size", ""):
        what = f"{name} has file_size {shown(cells.get('file_size', ''))} here and {shown(image.size)} in {image.row}"
        fault = Fault(what, "two images of one name? rename one and label it again")
        image.problems.append(Problem(file, row, fault.what, fault.remedy))
    try:
        count = _count(cells.get("region_count"))
        image.count = count if image.count is None else max(image.count, count or 0)
        says = _attributes(cells.get("file_attributes", "{}"), "file_attributes")
        image.says = {**image.says, **says}
        drawn = _attributes(cells["region_shape_attributes"], "region_shape_attributes")
        attributes = _attributes(cells.get("region_attributes", "{}"), "region_attributes")
    except Fault as fault:
        image.problems.append(Problem(file, row, fault.what, fault.remedy))
        return
    if drawn:
        image.shapes.append((row, (drawn, attributes)))
    elif (count or 0) > 0:
        image.problems.append(Problem(file, row, f"says region_count {count} but has no region", "draw it again"))


def _count(cell: str | None) -> int | None:
    if cell is None or not cell.strip():
        return None
    try:
        return int(cell)
    except ValueError:
        raise Fault(f"region_count is {shown(cell)}, not a number", "export it again") from None


def _attributes(cell: str, what: str) -> Mapping[str, Any]:
    r"""A cell of JSON: `{}`, and the same wrapped in quotes once more (`"{}"`), as some tools re-save it."""
    if not cell.strip():
        return {}
    try:
        document = parsed(cell)
        return mapping(parsed(document) if isinstance(document, str) and document.strip() else document or {}, what)
    except Fault as fault:
        raise Fault(f"{what}: {fault.what}", fault.remedy) from None


def _json_entry(row: str, image: Mapping[str, Any], file: str) -> Entry:
    keys = folded_keys(image)
    name = text_of(keys.get("filename"), "filename")
    regions = keys.get("regions", [])
    if isinstance(regions, dict):  # version 1 numbers them by key
        numbered: Iterable[tuple[str, Any]] = regions.items()
    elif isinstance(regions, list):
        numbered = enumerate_text(regions)
    else:
        raise Fault(f"regions is {shown(regions)}, not a list", "export it again")
    found = _Image(row, "")
    for number, region in numbered:
        where = f"{row} region {number}"
        try:
            inner = folded_keys(mapping(region, "the region"))
            drawn = _wrapped(inner.get("shape_attributes"), "shape_attributes")
            attributes = _wrapped(inner.get("region_attributes", {}), "region_attributes")
            found.shapes.append((where, (drawn, attributes)))
        except Fault as fault:
            found.problems.append(Problem(file, where, fault.what, fault.remedy))
    found.says = _wrapped(keys.get("file_attributes", {}), "file_attributes")
    return _entry(name, found, file)


def _wrapped(value: Any, what: str) -> Mapping[str, Any]:
    return _attributes(value, what) if isinstance(value, str) else mapping({} if value is None else value, what)


def folded_keys(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same with attribute names in small letters; the first that holds anything counts."""
    result: dict[str, Any] = {}
    for key, inner in value.items():
        if result.get(folded(key)) in (None, ""):
            result[folded(key)] = inner
    return result


def enumerate_text(values: list[Any]) -> Iterable[tuple[str, Any]]:
    """Numbered from 0, as the tools do."""
    return ((str(number), value) for number, value in enumerate(values))


def _entry(name: str, image: _Image, file: str) -> Entry:
    regions, problems = read_each(image.shapes, file, lambda drawn: shape(*drawn))
    rows = len(image.shapes) + len(image.problems)
    if image.count is not None and image.count > rows:
        what = f"{name} should have {image.count} regions and has {rows}"
        problems += (Problem(file, image.row, what, "rows are missing: export it again"),)
    return Entry(name, image.row, file, regions, (*image.problems, *problems), said_by(image.says))
