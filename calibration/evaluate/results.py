"""What an evaluation found: typed, frozen, and free of files; the report, the CSV and the JSON are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from calibration.evaluate.configurations import Configuration
from calibration.evaluate.levels import Level
from calibration.metrics import Curve, Interval

Verdict = Literal["right", "false_alarm", "miss", "undecided"]


@dataclass(frozen=True)
class Tally:
    """Frames by what became of them. Undecided ones are neither false alarms nor misses, and not right either."""

    good: int
    bad: int
    false_alarms: int
    misses: int
    undecided_good: int
    undecided_bad: int

    @property
    def undecided(self) -> int:
        """Frames that could not be judged."""
        return self.undecided_good + self.undecided_bad

    @property
    def right(self) -> int:
        """Frames that were judged, and judged right."""
        return self.good + self.bad - self.false_alarms - self.misses - self.undecided

    @property
    def accuracy(self) -> float | None:
        """Right answers over all frames, the undecided included: a frame that nobody judged was not judged right."""
        total = self.good + self.bad
        return self.right / total if total else None


@dataclass(frozen=True)
class MethodRow:
    """One threshold method in one configuration. tally, iou: None where the method was refused or IoU is undefined."""

    level: Level
    tally: Tally | None = None
    iou: float | None = None


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure with its 95 % interval (by bootstrap; of an accuracy the exact one); value None: undefined."""

    value: float | None
    interval: Interval | None = None


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of one configuration, thinned for drawing; None where undefined."""

    image_roc: Curve | None = None
    pixel_roc: Curve | None = None
    pro: Curve | None = None
    precision_recall: Curve | None = None
    iou: Curve | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """One configuration of one recipe.

    measured_as: the configuration whose figures these are (itself, or the one that gives the same). chosen: which of
    `methods` is best by accuracy, None where no method could be taken. accuracy, iou: of that one. ap: average precision
    of pixels. scores: by frame, in the order of the evaluation's shots, None where undecided. refusals: why, likewise.
    good_scores: of the good frames that the thresholds were taken from; good_refused: those that could not be used.
    """

    configuration: Configuration
    measured_as: Configuration
    image_auroc: Figure
    image_ap: float | None
    pixel_auroc: Figure
    pro: Figure
    ap: Figure
    best_iou: float | None
    methods: tuple[MethodRow, ...]
    chosen: int | None
    accuracy: Figure
    scores: tuple[float | None, ...]
    refusals: tuple[str, ...]
    good_scores: tuple[float, ...]
    good_refused: tuple[tuple[str, str], ...]
    curves: Curves

    @property
    def method(self) -> MethodRow | None:
        """The best method, None where there is none."""
        return None if self.chosen is None else self.methods[self.chosen]


@dataclass(frozen=True)
class Shot:
    """One labelled frame. kind: good, or the kind of defect."""

    name: str
    path: str
    bad: bool
    kind: str


@dataclass(frozen=True, eq=False)
class Mistake:
    """A frame that was not judged right, in the best configuration at its best method.

    why: of an undecided one. panels: (caption, JPEG) of input, reference, map, truth, prediction, overlay; empty where
    there were too many to show.
    """

    shot: Shot
    verdict: Verdict
    score: float | None
    threshold: float
    why: str
    panels: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One recipe with one bundle on one labelled set, in one or in eight configurations.

    title: what tells it from the others of a sweep. source, good_source: where frames and thresholds come from. reduction:
    figures of pixels are of every n-th pixel of the frame. best: which of `rows`, None where nothing could be judged.
    notes: what a reader must know, one sentence each.
    """

    title: str
    view: str
    recipe: str
    version: int
    bundle: str
    family: str
    engine: str
    source: str
    good_source: str
    made_at: datetime
    reduction: int
    frame_size_wh: tuple[int, int]
    map_size_wh: tuple[int, int]
    shots: tuple[Shot, ...]
    rows: tuple[Row, ...]
    best: int | None
    mistakes: tuple[Mistake, ...]
    notes: tuple[str, ...]

    @property
    def best_row(self) -> Row | None:
        """The best configuration, None where nothing could be judged."""
        return None if self.best is None else self.rows[self.best]


@dataclass(frozen=True, eq=False)
class Sweep:
    """Evaluations of several bundles on one labelled set. best: which of them, None where nothing could be judged."""

    evaluations: tuple[Evaluation, ...]
    best: int | None


def verdict_of(bad: bool, score: float | None, threshold: float) -> Verdict:
    """FAIL above the threshold, PASS at or below it, undecided without a score; and was that right."""
    if score is None:
        return "undecided"
    if score > threshold:
        return "right" if bad else "false_alarm"
    return "miss" if bad else "right"
