"""Reference images: the best frame of many, the median of many, or the ideal that a symmetric part's turns agree on."""

from calibration.reference.folds import FoldFound, choose_fold
from calibration.reference.frames import Chosen, Median, Refused, best_frame, median_frame
from calibration.reference.installing import install
from calibration.reference.note import ReferenceNote, Source, write_reference
from calibration.reference.rotational import Ideal, Where, rotational

__all__ = [
    "Chosen",
    "FoldFound",
    "Ideal",
    "Median",
    "ReferenceNote",
    "Refused",
    "Source",
    "Where",
    "best_frame",
    "choose_fold",
    "install",
    "median_frame",
    "rotational",
    "write_reference",
]
