"""A part that looks the same when it is turned: its axis, its fold, its angle, and the image that all its turns agree on.

Pure, on numpy and OpenCV. `find_centre`, `folds` and `rotational_median` are what a reference is made with;
`SymmetricPart` is the same for every frame of a recipe.
"""

from edge.symmetry.centre import Found, blob, find_centre
from edge.symmetry.median import pixel_median, rotational_median, turn
from edge.symmetry.part import Pose, SymmetricPart
from edge.symmetry.ring import Ring, Spectrum, angle_between, folds, spectrum, symmetry

__all__ = [
    "Found",
    "Pose",
    "Ring",
    "Spectrum",
    "SymmetricPart",
    "angle_between",
    "blob",
    "find_centre",
    "folds",
    "pixel_median",
    "rotational_median",
    "spectrum",
    "symmetry",
    "turn",
]
