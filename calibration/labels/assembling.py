"""What a label file says of each image, held against the image itself: the one place where an image becomes good or bad."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from calibration.labels.documents import Fault
from calibration.labels.images import ImageFolder, frame_size, turned_by_tag
from calibration.labels.items import Format, Label, Labelled, LabelSet, Problem
from calibration.labels.shapes import Ellipse, Polygon, Region, bounds, rasterise
from calibration.progress import Progress

GOOD = "good"
UNNAMED = "anomaly"
GOOD_WORDS = frozenset({"good", "normal", "ok", "nodefects", "nodefect"})
BAD_WORDS = frozenset({"bad", "abnormal", "defect", "defects", "nok", "anomaly"})
MAX_OUTSIDE_PX = 3.0  # hands and rounding; what reaches further was drawn on another image
_SURELY_PX = 4.0  # smaller polygons are drawn to see whether they hold the centre of any pixel

Raw = TypeVar("Raw")


@dataclass(frozen=True)
class Entry:
    """One image in a label file. row: where it stands. says: good or bad where the file says so by a word.

    size_wh: the size that the file declares. problems: regions that could not be read; each is an anomaly all the same.
    """

    name: str
    row: str
    file: str
    regions: tuple[Region, ...] = ()
    problems: tuple[Problem, ...] = ()
    says: Label | None = None
    size_wh: tuple[int, int] | None = None
    last_part_only: bool = field(default=False, kw_only=True)


def plain(word: str) -> str:
    """A folder's or label's word without case, spaces, `_` and `-`."""
    return "".join(character for character in word.casefold() if character not in " _-")


def read_each(
    items: Iterable[tuple[str, Raw]], file: str, read: Callable[[Raw], Region | Sequence[Region]]
) -> tuple[tuple[Region, ...], tuple[Problem, ...]]:
    """Read the regions of one image, each on its own: those that are whole, and a problem for each that is not."""
    regions: list[Region] = []
    problems: list[Problem] = []
    for row, item in items:
        try:
            found = read(item)
        except Fault as fault:
            problems.append(Problem(file, row, fault.what, fault.remedy))
            continue
        regions += found if isinstance(found, Sequence) else (found,)
    return tuple(regions), tuple(problems)


def assemble(entries: Sequence[Entry], images: ImageFolder, kind: Format, progress: Progress) -> LabelSet:
    """Good and bad images from a label file's entries, with every problem. Raises Cancelled if progress does.

    An image that is listed without any region is good; one that is not listed has no label and is a problem.
    """
    problems: list[Problem] = []
    items: list[Labelled] = []
    seen = Counter(_resolved(entry, images) for entry in entries)
    for number, entry in enumerate(entries, 1):
        problems += entry.problems
        try:
            path = images.find(entry.name, last_part_only=entry.last_part_only)
            if seen[path] > 1:
                raise Fault(f"{path.name} has labels {seen[path]} times", "keep one of them")
            item, more = _item(entry, path)
            problems += more
            items.append(item)
        except Fault as fault:
            problems.append(Problem(entry.file, entry.row, fault.what, fault.remedy))
        progress(number, len(entries), entry.name)
    problems += (unlabelled(path) for path in images.not_asked_for())
    return LabelSet(tuple(items), tuple(problems), kind)


def unlabelled(path: Path) -> Problem:
    """An image of which nothing is said: neither good nor bad."""
    return Problem(str(path), "", "has no label", "label it (good is a label too), or take it out of the folder")


def fault_of(region: Region, size_wh: tuple[int, int]) -> Fault | None:
    """Why a region cannot be meant for an image of this size, or marks nothing on it; None if it can."""
    left, top, right, bottom = bounds(region)
    size = f"an image of {size_wh[0]}x{size_wh[1]}"
    near = MAX_OUTSIDE_PX
    if isinstance(region, Ellipse):
        (left, top), (right, bottom) = region.centre, region.centre
    if left < -near or top < -near or right > size_wh[0] - 1 + near or bottom > size_wh[1] - 1 + near:
        what = f"a region {region.kind!r} reaches to x {left:.0f}..{right:.0f}, y {top:.0f}..{bottom:.0f}, outside of {size}"
        return Fault(what, "was it drawn on another size? draw it again")
    if _may_be_empty(region, size_wh) and not rasterise((region,), size_wh).any():
        return Fault(f"a region {region.kind!r} marks no pixel of {size}", "draw it again or delete it")
    return None


def kind_of(regions: Iterable[Region]) -> str:
    """The kinds of the regions, joined with `+`."""
    return "+".join(sorted({region.kind for region in regions})) or UNNAMED


def _resolved(entry: Entry, images: ImageFolder) -> Path | None:
    try:
        return images.find(entry.name, last_part_only=entry.last_part_only)
    except Fault:
        return None


def _item(entry: Entry, path: Path) -> tuple[Labelled, list[Problem]]:
    size = frame_size(path)
    if entry.size_wh is not None and entry.size_wh != size:
        was, now = (f"{width}x{height}" for width, height in (entry.size_wh, size))
        raise Fault(f"was labelled at {was}, but {path} is {now}", "label this image, or put the labelled one there")
    problems = [
        Problem(entry.file, entry.row, fault.what, fault.remedy)
        for fault in (fault_of(region, size) for region in entry.regions)
        if fault is not None
    ]
    marked = bool(entry.regions or entry.problems)
    if entry.regions and turned_by_tag(path):
        what = f"{path.name} has an EXIF tag that turns it, so its regions may have been drawn on a turned image"
        problems.append(Problem(entry.file, entry.row, what, "save it without the tag and label it again"))
    if marked and entry.says == "good":
        raise Fault(f"{path.name} is called good but has regions", "delete the regions or the word")
    if not marked and entry.says != "bad":
        return Labelled(path, "good", GOOD, (), size), problems
    known = bool(entry.regions) and not problems and not entry.problems
    if marked and not known:
        what = f"{path.name} is used as a bad image, but its pixels are not known"
        problems.append(Problem(entry.file, entry.row, what, "draw all its regions"))
    return Labelled(path, "bad", kind_of(entry.regions), entry.regions if known else (), size, known), problems


def _may_be_empty(region: Region, size_wh: tuple[int, int]) -> bool:
    """False only where geometry alone tells that a pixel is marked, so that most regions need not be drawn here."""
    left, top, right, bottom = bounds(region)
    if not isinstance(region, Polygon) or left < 0 or top < 0 or right > size_wh[0] - 1 or bottom > size_wh[1] - 1:
        return True
    x, y = region.points.T
    area = abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
    return area < _SURELY_PX or min(right - left, bottom - top) < 2
