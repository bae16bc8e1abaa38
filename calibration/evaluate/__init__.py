"""A recipe, or several bundles, judged on labelled frames: figures, curves, mistakes. docs/evaluation.md.

evaluate(recipe, tests, open_engine=..., good=...) -> Evaluation       the station's own way
sweep(recipe, tests, good=..., open_engine=..., bundles=...) -> Sweep  the study's eight configurations
compare(a, b) -> Comparison                                            two evaluations, frame by frame
"""

from calibration.evaluate.choosing import RULE
from calibration.evaluate.comparing import Comparison, Pair, compare, mcnemar
from calibration.evaluate.configurations import EIGHT, STATION, Configuration
from calibration.evaluate.levels import DEFAULT_METHODS, KINDS, Level, Options
from calibration.evaluate.plan import with_bundle
from calibration.evaluate.results import Evaluation, Figure, MethodRow, Mistake, Row, Shot, Sweep, Tally, verdict_of
from calibration.evaluate.running import EngineOf, evaluate, sweep
from calibration.evaluate.samples import LabelledFrames, labelled_frames, read_labelled

__all__ = [
    "DEFAULT_METHODS",
    "EIGHT",
    "KINDS",
    "RULE",
    "STATION",
    "Comparison",
    "Configuration",
    "EngineOf",
    "Evaluation",
    "Figure",
    "LabelledFrames",
    "Level",
    "MethodRow",
    "Mistake",
    "Options",
    "Pair",
    "Row",
    "Shot",
    "Sweep",
    "Tally",
    "compare",
    "evaluate",
    "labelled_frames",
    "mcnemar",
    "read_labelled",
    "sweep",
    "verdict_of",
    "with_bundle",
]
