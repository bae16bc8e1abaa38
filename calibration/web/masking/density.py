"""Where false alarms were: results that failed, and of which a person said that nothing was there. Bounded."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.drift.lineage import Lineage
from edge.archive import ArchiveError, ArchiveReader, Entry
from edge.archive.index_file import INDEX
from edge.recipe import Recipe
from edge.types import ImageU8, Outcome

MAX_RESULTS: Final = 500
MAX_CLEARANCES: Final = 2000
LONGEST_SIDE: Final = 512
Counts: TypeAlias = NDArray[np.uint16]
STEPS: Final = (1, 2, 4, 8)
"""The colours' steps: that many false alarms at one place, or more. They never follow the data."""

_RGBA: Final = ((240, 228, 66, 110), (230, 159, 0, 140), (213, 94, 0, 165), (140, 20, 120, 190))


@dataclass(frozen=True, eq=False)
class Density:
    """counts: uint16 HxW over the reference on a grid of its own, how many of the results alarmed there. results: how many
    that rests on; regions: of their places. other_reference: results left out because the reference was another one;
    unreadable: left out because their evidence is gone. bounded: there were more than were looked at.
    """

    counts: Counts
    results: int
    regions: int
    other_reference: int = 0
    unreadable: int = 0
    bounded: bool = False

    @property
    def most(self) -> int:
        """At the worst place."""
        return int(self.counts.max(initial=0))


def density_of(
    reader: ArchiveReader,
    recipe: Recipe,
    since: datetime,
    until: datetime,
    called_good: Collection[str] = (),
    called_bad: Collection[str] = (),
) -> Density:
    """The false alarms of the recipe's view in a time. called_good, called_bad: ids of results that were labelled so; what is
    labelled bad is no false alarm, whoever released it.

    Only results count that were judged on the very same reference, as only their places are places on this one.
    ArchiveError: the archive cannot be read.
    """
    if not (reader.folder / INDEX).exists():  # a station that has judged nothing yet
        return Density(_nothing(recipe), 0, 0)
    entries, bounded, gone = _false_alarms(reader, recipe.view, since, until, called_good, called_bad)
    size_wh = (recipe.reference.shape[1], recipe.reference.shape[0])
    counts = _nothing(recipe)
    lineage = Lineage(recipe)
    results = regions = other = 0
    for entry in entries:
        changed = lineage.changed(entry.recipe, entry.recipe_version, entry.product)
        if changed is None or "reference" in changed:
            other += 1
            continue
        try:
            boxes = boxes_of(reader.document(entry))
        except ArchiveError:
            gone += 1
            continue
        results += 1
        regions += len(boxes)
        counts += _stamp(boxes, counts.shape, size_wh)
    return Density(counts, results, regions, other, gone, bounded)


def boxes_of(document: Mapping[str, Any]) -> list[tuple[float, float, float, float]]:
    """left, top, right, bottom of a result's regions in reference pixels, edge to edge; what is no number is left out."""
    boxes = []
    regions = document.get("regions")
    for region in regions if isinstance(regions, list) else ():
        box = region.get("box") if isinstance(region, dict) else None
        values = [box.get(name) for name in ("x", "y", "width", "height")] if isinstance(box, dict) else []
        numbers = [float(value) for value in values if isinstance(value, (int, float)) and math.isfinite(value)]
        if len(numbers) == 4 and numbers[2] > 0 and numbers[3] > 0:
            x, y, width, height = numbers
            boxes.append((x, y, x + width, y + height))
    return boxes


def picture_of(density: Density) -> bytes:
    """A PNG with a transparent ground; its colours have fixed steps (STEPS)."""
    picture: ImageU8 = np.zeros((*density.counts.shape, 4), np.uint8)
    for step, (red, green, blue, alpha) in zip(STEPS, _RGBA, strict=True):
        picture[density.counts >= step] = (blue, green, red, alpha)
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise ArchiveError("cannot be drawn", where="false alarms")
    return bytes(data)


def _false_alarms(
    reader: ArchiveReader,
    view: str,
    since: datetime,
    until: datetime,
    called_good: Collection[str],
    called_bad: Collection[str],
) -> tuple[list[Entry], bool, int]:
    """The results, whether there were more, and how many are gone."""
    ids, bounded = _released(reader, view, since, until)
    ids.update(dict.fromkeys(called_good))
    wanted = [result_id for result_id in ids if result_id and result_id not in called_bad]
    entries, gone = [], 0
    for result_id in wanted[:MAX_RESULTS]:
        entry = reader.get(result_id)
        if entry is None:
            gone += 1
        elif entry.view == view and entry.outcome == Outcome.FAIL.value and since <= entry.decided_at < until:
            entries.append(entry)
    return entries, bounded or len(wanted) > MAX_RESULTS, gone


def _released(reader: ArchiveReader, view: str, since: datetime, until: datetime) -> tuple[dict[str, None], bool]:
    """Ids of failed results that a person released as false alarms, newest first; each once, although a release of one view
    after the other repeats the earlier ones.
    """
    found = reader.find(kind="clearance", since=since, until=until, limit=MAX_CLEARANCES)
    ids: dict[str, None] = {}
    for entry in found:
        if entry.outcome == "CLEAR":
            continue
        try:
            views = reader.document(entry).get("views")
        except ArchiveError:
            continue
        for voted in views if isinstance(views, list) else ():
            if isinstance(voted, dict) and voted.get("view") == view and voted.get("release"):
                ids.update((str(result.get("resultId")), None) for result in voted.get("results") or () if _failed(result))
    return ids, len(found) == MAX_CLEARANCES


def _failed(result: object) -> bool:
    return isinstance(result, dict) and result.get("outcome") == Outcome.FAIL.value


def _nothing(recipe: Recipe) -> Counts:
    return np.zeros(_grid((recipe.reference.shape[1], recipe.reference.shape[0]))[::-1], np.uint16)


def _grid(size_wh: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, LONGEST_SIDE / max(size_wh))
    return max(1, round(size_wh[0] * scale)), max(1, round(size_wh[1] * scale))


def _stamp(boxes: Iterable[tuple[float, float, float, float]], shape: tuple[int, ...], size_wh: tuple[int, int]) -> Counts:
    """One result's places, each cell once; what is smaller than a cell still takes one."""
    stamp = np.zeros(shape, np.uint16)
    x_scale, y_scale = shape[1] / size_wh[0], shape[0] / size_wh[1]
    for left, top, right, bottom in boxes:
        x0, y0 = (
            min(max(0, math.floor(low)), side - 1) for low, side in ((left * x_scale, shape[1]), (top * y_scale, shape[0]))
        )
        x1, y1 = (min(side, math.ceil(high)) for high, side in ((right * x_scale, shape[1]), (bottom * y_scale, shape[0])))
        stamp[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = 1
    return stamp
