"""What people say of frames: good, bad, or what of them is bad; kept as a set that the evaluation reads."""

from calibration.web.history.labels.drawing import (
    MAX_JSON_CHARS,
    MAX_POINTS,
    MAX_SHAPES,
    DrawingError,
    Shape,
    paint,
    read_shapes,
)
from calibration.web.history.labels.records import Label, Says
from calibration.web.history.labels.sets import as_zip, picture
from calibration.web.history.labels.store import MAX_NOTE, LabelError, Labels

__all__ = [
    "MAX_JSON_CHARS", "MAX_NOTE", "MAX_POINTS", "MAX_SHAPES", "DrawingError", "Label", "LabelError", "Labels", "Says", "Shape",
    "as_zip", "paint", "picture", "read_shapes",
]  # fmt: skip
