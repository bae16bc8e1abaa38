"""Two evaluations of the same frames side by side: who found what, and whether the difference is more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

from calibration.evaluate.results import Evaluation, Row, Shot, Verdict, verdict_of
from edge.errors import ConfigError


@dataclass(frozen=True)
class Pair:
    """One frame, judged by both. scores: None where undecided."""

    shot: Shot
    a: Verdict
    b: Verdict
    score_a: float | None
    score_b: float | None

    @property
    def who(self) -> str:
        """Who judged it right: both, only A, only B, neither."""
        return {(True, True): "both", (True, False): "only A", (False, True): "only B", (False, False): "neither"}[
            self.a == "right", self.b == "right"
        ]


@dataclass(frozen=True)
class Discord:
    """Frames of one kind by who judged them right, and McNemar's exact p-value of the two that disagree."""

    name: str
    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def p_value(self) -> float:
        """The chance of so uneven a split, or a more uneven one, if both were equally good."""
        return mcnemar(self.only_a, self.only_b)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two evaluations frame by frame, each at its best method. discords: of bad frames, of good frames, of all."""

    a: Evaluation
    b: Evaluation
    pairs: tuple[Pair, ...]
    discords: tuple[Discord, ...]


def compare(a: Evaluation, b: Evaluation) -> Comparison:
    """Frame by frame. ConfigError: they are not of the same frames, or one has no thresholds."""
    if [(shot.path, shot.bad) for shot in a.shots] != [(shot.path, shot.bad) for shot in b.shots]:
        raise ConfigError("the two are not of the same labelled frames", remedy="evaluate both on one folder")
    columns = (a.shots, _verdicts(a), _verdicts(b), _row(a).scores, _row(b).scores)
    pairs = tuple(Pair(*each) for each in zip(*columns, strict=True))
    groups = (
        ("bad frames found", [pair for pair in pairs if pair.shot.bad]),
        ("good frames passed", [pair for pair in pairs if not pair.shot.bad]),
        ("all frames right", list(pairs)),
    )
    return Comparison(a, b, pairs, tuple(_discord(name, group) for name, group in groups))


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided exact p-value of McNemar's test from the discordant counts; 1 where there are none.

    McNemar, Note on the sampling error of the difference between correlated proportions (Psychometrika 1947); the exact
    binomial form, which holds for few frames too.
    """
    total = only_a + only_b
    tail = sum(comb(total, k) for k in range(min(only_a, only_b) + 1))
    return min(1.0, float(2 * tail / 2**total))


def _discord(name: str, pairs: list[Pair]) -> Discord:
    who = [pair.who for pair in pairs]
    return Discord(name, who.count("both"), who.count("only A"), who.count("only B"), who.count("neither"))


def _row(evaluation: Evaluation) -> Row:
    row = evaluation.best_row
    if row is None:
        raise ConfigError("has no thresholds to compare with", where=evaluation.title, remedy="give good frames with --good")
    return row


def _verdicts(evaluation: Evaluation) -> list[Verdict]:
    row = _row(evaluation)
    level = row.method.level.image if row.method else None
    if level is None:
        raise ConfigError("has no thresholds to compare with", where=evaluation.title, remedy="give good frames with --good")
    return [verdict_of(shot.bad, score, level) for shot, score in zip(evaluation.shots, row.scores, strict=True)]
