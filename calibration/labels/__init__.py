"""Labels of any common tool -> good and bad images with boolean masks at frame size. `docs/labels.md` has the rules.

    read_labels(source, images, format) -> LabelSet(items, problems)

Nothing is guessed and nothing is dropped in silence: what cannot be used stands in `problems`, by file and row.
"""

from calibration.labels.items import FORMATS, Format, Label, Labelled, LabelSet, Problem
from calibration.labels.moving import Moved, move
from calibration.labels.reading import read_labels
from calibration.labels.shapes import Ellipse, Point, Polygon, Polyline, Raster, Region, rasterise
from calibration.labels.via_writing import write_via_csv, write_via_json
from calibration.labels.writing import write_masks

__all__ = [
    "FORMATS",
    "Ellipse",
    "Format",
    "Label",
    "LabelSet",
    "Labelled",
    "Moved",
    "Point",
    "Polygon",
    "Polyline",
    "Problem",
    "Raster",
    "Region",
    "move",
    "rasterise",
    "read_labels",
    "write_masks",
    "write_via_csv",
    "write_via_json",
]
