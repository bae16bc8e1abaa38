"""Reference images: the best frame of many, the median of many, or the ideal that a symmetric part's turns agree on."""

from calibration.reference.folds import MOST_FOLDS, FoldFound, choose_fold
from calibration.reference.frames import Chosen, Median, Refused, best_frame, median_frame
from calibration.reference.installing import Installation, install, prepare
from calibration.reference.note import ReferenceNote, Source, check_target, write_reference
from calibration.reference.rotational import Ideal, Where, rotational

__all__ = [
    "MOST_FOLDS",
    "Chosen",
    "FoldFound",
    "Ideal",
    "Installation",
    "Median",
    "ReferenceNote",
    "Refused",
    "Source",
    "Where",
    "best_frame",
    "check_target",
    "choose_fold",
    "install",
    "median_frame",
    "prepare",
    "rotational",
    "write_reference",
]
