"""Figures of how well anomalies are found: of images, of pixels, of regions, with their intervals. See docs/metrics.md.

"Anomalous" is what lies above a threshold (`score > threshold`), as the station judges it. What is undefined is None,
never NaN, 0 or 1; a wrong input is an `edge.errors.ConfigError` that names the map or the image.
"""

from calibration.metrics.bootstrap import Interval, bootstrap, image_interval
from calibration.metrics.counts import Confusion, Counts, InstanceCounts, PixelCounts
from calibration.metrics.curves import Curve, Peak
from calibration.metrics.images import (
    image_auroc,
    image_average_precision,
    image_confusion,
    image_undefined,
    pr_points,
    roc_points,
)
from calibration.metrics.instances import instances
from calibration.metrics.intervals import PixelIntervals, pixel_intervals
from calibration.metrics.pixels import PixelSet

__all__ = [
    "Confusion",
    "Counts",
    "Curve",
    "InstanceCounts",
    "Interval",
    "Peak",
    "PixelCounts",
    "PixelIntervals",
    "PixelSet",
    "bootstrap",
    "image_auroc",
    "image_average_precision",
    "image_confusion",
    "image_interval",
    "image_undefined",
    "instances",
    "pixel_intervals",
    "pr_points",
    "roc_points",
]
