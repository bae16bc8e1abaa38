"""Regions of a VIA file as masks: shown first, taken by a person."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from calibration.labels import via
from calibration.labels.assembling import UNNAMED, Entry
from calibration.labels.items import Problem
from calibration.labels.shapes import CORNER, Ellipse, Points, Polygon, Region
from edge.errors import ConfigError, LineclearError
from edge.settings.judging import MaskPolygon

MAX_BYTES: Final = 8_000_000
MAX_IMAGES: Final = 100
MAX_MASKS: Final = 500
ELLIPSE_CORNERS: Final = 48
_LEAST_PX: Final = 0.5


@dataclass(frozen=True)
class ImageMasks:
    """What the file has for one image, as masks of this reference. problems: what could not be taken, a line each."""

    image: str
    masks: tuple[MaskPolygon, ...]
    problems: tuple[str, ...]


def read_via(path: Path, size_wh: tuple[int, int]) -> tuple[tuple[ImageMasks, ...], tuple[str, ...]]:
    """The masks in an export of VIA (CSV or JSON, told by what stands in it), by image, and what is wrong with the file.

    Regions are cut at the reference's edge. ConfigError: the file is none of VIA.
    """
    entries, problems = _entries(path)
    drawn = [entry for entry in entries if entry.regions or entry.problems]
    if not drawn:
        raise ConfigError("holds no region", where="VIA file", remedy="draw regions in VIA, then export them")
    found = tuple(_masks(entry, size_wh) for entry in drawn[:MAX_IMAGES])
    lines = [_line(problem) for problem in problems[:100]]
    if len(drawn) > MAX_IMAGES:
        lines.append(f"{len(drawn)} images have regions: the first {MAX_IMAGES} are shown")
    return found, tuple(lines)


def clipped(points: Points, size_wh: tuple[int, int]) -> Points:
    """A polygon cut at the edges of a picture (Sutherland and Hodgman 1974); corners count from its corner, edge to edge."""
    for axis, limit, sign in ((0, 0.0, 1), (0, float(size_wh[0]), -1), (1, 0.0, 1), (1, float(size_wh[1]), -1)):
        kept: list[Points] = []
        for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
            from_inside, to_inside = (sign * (point[axis] - limit) >= 0 for point in (start, end))
            if from_inside:
                kept.append(start)
            if from_inside != to_inside:
                cut = start + (limit - start[axis]) / (end[axis] - start[axis]) * (end - start)
                cut[axis] = limit
                kept.append(cut)
        if not kept:
            return np.empty((0, 2))
        points = np.array(kept, np.float64)
    return points


def _entries(path: Path) -> tuple[list[Entry], list[Problem]]:
    """The sender's name of a file says nothing: JSON begins with a brace."""
    try:
        with path.open("rb") as file:
            start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
        return via.read_json(path) if start.startswith((b"{", b"[")) else via.read_csv(path)
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where="VIA file", remedy="send it again") from None
    except ConfigError as error:
        raise ConfigError(error.message, where="VIA file", remedy=error.remedy) from None


def _masks(entry: Entry, size_wh: tuple[int, int]) -> ImageMasks:
    masks: list[MaskPolygon] = []
    problems = [_line(problem) for problem in entry.problems[:100]]
    for number, region in enumerate(entry.regions, 1):
        if len(masks) == MAX_MASKS:
            problems.append(f"more than {MAX_MASKS} regions: the rest was left out")
            break
        try:
            masks.append(_mask(region, number, size_wh))
        except LineclearError as error:
            problems.append(f"region {number}: {error.message}")
    return ImageMasks(_shown(entry.name, 200), _named_apart(masks), tuple(problems))


def _mask(region: Region, number: int, size_wh: tuple[int, int]) -> MaskPolygon:
    if isinstance(region, Polygon):
        corners = region.points + CORNER
    elif isinstance(region, Ellipse):
        corners = _outline(region) + CORNER
    else:
        raise ConfigError("is a point or a line, which has no area")
    cut = clipped(corners, size_wh)
    extent = np.ptp(cut, axis=0) if len(cut) else np.zeros(2)
    if len(cut) < 3 or extent.min() < _LEAST_PX:
        raise ConfigError("lies outside of this reference, or has no area: was it drawn on another picture?")
    points = tuple((float(x), float(y)) for x, y in np.clip(cut / size_wh, 0.0, 1.0))
    name = region.kind if region.kind != UNNAMED else f"region {number}"
    try:
        return MaskPolygon(name=_shown(name, 70), points=points)
    except ValueError:
        raise ConfigError(f"cannot be a mask ({len(points)} corners): draw it anew with 3 to 2000") from None


def _outline(ellipse: Ellipse) -> Points:
    """Its corners lie a little outside, so that the polygon covers as much as the ellipse does."""
    angle = np.arange(ELLIPSE_CORNERS) * (2 * np.pi / ELLIPSE_CORNERS)
    step = 2 * np.pi / ELLIPSE_CORNERS
    along = np.column_stack((np.cos(angle), np.sin(angle))) * ellipse.radii * np.sqrt(step / np.sin(step))
    cos, sin = np.cos(ellipse.theta_rad), np.sin(ellipse.theta_rad)
    turned: Points = along @ np.array(((cos, sin), (-sin, cos))) + ellipse.centre
    return turned


def _named_apart(masks: list[MaskPolygon]) -> tuple[MaskPolygon, ...]:
    taken: set[str] = set()
    named = []
    for mask in masks:
        name, count = mask.name, 1
        while name in taken:
            count += 1
            name = f"{mask.name} {count}"
        taken.add(name)
        named.append(mask.model_copy(update={"name": name}))
    return tuple(named)


def _line(problem: Problem) -> str:
    """Without the file's name, which is the page's own."""
    return ": ".join(part for part in (problem.row, problem.what, problem.remedy) if part)[:300]


def _shown(text: str, longest: int) -> str:
    """A name from outside as the page and a masks.yaml may have it."""
    plain = unicodedata.normalize("NFC", text).strip()
    return "".join(character if character.isprintable() else "_" for character in plain)[:longest] or "_"
