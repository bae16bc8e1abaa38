"""What labels become: images that a person called good or bad, with the anomalous pixels where they are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from calibration.labels.shapes import Region, rasterise
from edge.types import MaskBool

Label = Literal["good", "bad"]
Format = Literal["via", "coco", "labelme", "masks", "mvtec", "good-bad"]
FORMATS: tuple[Format, ...] = ("via", "coco", "labelme", "masks", "mvtec", "good-bad")


@dataclass(frozen=True)
class Problem:
    """Something that could not be used as it stands. Nothing is left out without one of these.

    file: the label file, mask or image. row: where in it (`row 12`, `annotations[3]`, a file's name), "" for all of it.
    """

    file: str
    row: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.row, self.what, self.remedy) if part)


@dataclass(frozen=True, eq=False)
class Labelled:
    """One labelled image. Small: regions are outlines or packed bits, and `truth` is drawn anew each time it is asked for.

    kind: `good`, or the kind of defect (folder or label; several joined with `+`). size_wh: of the image in pixels.
    pixels_known: False for a bad image of which no mask exists, or whose regions could not all be read.
    """

    path: Path
    label: Label
    kind: str
    regions: tuple[Region, ...]
    size_wh: tuple[int, int]
    pixels_known: bool = True

    @property
    def truth(self) -> MaskBool | None:
        """True where the image is anomalous: bool HxW, read-only; all False for a good image; None if it is not known."""
        return rasterise(self.regions, self.size_wh) if self.pixels_known else None


@dataclass(frozen=True, eq=False)
class LabelSet:
    """Every image with a usable label, in the order of the source, and every problem that was met.

    format: how the source was read.
    """

    items: tuple[Labelled, ...]
    problems: tuple[Problem, ...]
    format: Format

    @property
    def good(self) -> tuple[Labelled, ...]:
        """The images that were called good."""
        return tuple(item for item in self.items if item.label == "good")

    @property
    def bad(self) -> tuple[Labelled, ...]:
        """The images that were called bad."""
        return tuple(item for item in self.items if item.label == "bad")
