"""From frames' scores to thresholds, and what so few frames can promise. Pure statistics; docs/thresholds.md explains.

`method` says what can be asked for, `levels` answers it; `conformal`, `extreme` and `costs` are the three ways that are more
than a maximum or a mean; `promises` says what n frames can promise; `summary` is what the card keeps of many values.
"""

from calibration.methods.conformal import conformal_rank, frames_for_rate
from calibration.methods.costs import cost_optimum, missed_share
from calibration.methods.extreme import fit_tail, frames_for_tail, read_tail
from calibration.methods.levels import Levels, image_threshold, pixel_threshold, take_levels
from calibration.methods.method import KINDS, MIN_FRAMES, Method, MethodKind, Values, spread
from calibration.methods.promises import beta_quantile, clopper_pearson, enough, false_alarms, frames_needed
from calibration.methods.summary import figures

__all__ = [
    "KINDS",
    "MIN_FRAMES",
    "Levels",
    "Method",
    "MethodKind",
    "Values",
    "beta_quantile",
    "clopper_pearson",
    "conformal_rank",
    "cost_optimum",
    "enough",
    "false_alarms",
    "figures",
    "fit_tail",
    "frames_for_rate",
    "frames_for_tail",
    "frames_needed",
    "image_threshold",
    "missed_share",
    "pixel_threshold",
    "read_tail",
    "spread",
    "take_levels",
]
