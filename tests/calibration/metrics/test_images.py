"""Figures of images: scikit-learn's, with what is undecided left out and what is undefined said."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from calibration.metrics import (
    Confusion,
    image_auroc,
    image_average_precision,
    image_confusion,
    image_undefined,
    pr_points,
    roc_points,
)
from edge.errors import ConfigError

LABELS = [False, False, False, True, True, True, True]
SCORES = [0.1, 0.4, 0.4, 0.4, 0.35, 0.8, 0.9]


def test_images_rank_as_scikit_learn_ranks_them() -> None:
    assert image_auroc(LABELS, SCORES) == roc_auc_score(LABELS, SCORES)
    assert image_average_precision(np.array(LABELS), np.array(SCORES)) == average_precision_score(LABELS, SCORES)


def test_undecided_images_are_in_no_ranking() -> None:
    assert image_auroc([*LABELS, True, False], [*SCORES, None, None]) == image_auroc(LABELS, SCORES)
    assert image_average_precision([True, *LABELS], [None, *SCORES]) == image_average_precision(LABELS, SCORES)


@pytest.mark.parametrize(
    ("labels", "scores", "why"),
    [
        ([False, False], [1.0, 2.0], "no bad image with a score"),
        ([True, True], [1.0, 2.0], "no good image with a score"),
        ([True, False], [1.0, None], "no good image with a score"),
        ([True, False], [None, 1.0], "no bad image with a score"),
        ([True, False], [None, None], "no image with a score"),
        ([], [], "no image with a score"),
    ],
)
def test_rankings_without_both_kinds_are_undefined(labels: list[bool], scores: list[float | None], why: str) -> None:
    assert image_undefined(labels, scores) == why
    for figure in (image_auroc, image_average_precision, roc_points, pr_points):
        assert figure(labels, scores) is None


def test_points_of_the_curves_are_the_counts_at_their_thresholds() -> None:
    roc, precision = roc_points(LABELS, SCORES), pr_points(LABELS, SCORES)
    assert roc is not None
    assert precision is not None
    for x, y, threshold in zip(roc.x, roc.y, roc.thresholds, strict=True):
        counts = image_confusion(LABELS, SCORES, threshold)
        assert (counts.fp / 3, counts.tp / 4) == (x, y)
    for x, y, threshold in list(zip(precision.x, precision.y, precision.thresholds, strict=True))[1:]:
        counts = image_confusion(LABELS, SCORES, threshold)
        assert (counts.recall, counts.precision) == (x, y)
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
    assert (precision.x[0], precision.y[0], precision.thresholds[0]) == (0, 1, np.inf)
    assert not roc.thinned


def test_confusion_names_what_each_image_is() -> None:
    found = image_confusion([*LABELS, True], [*SCORES, None], 0.4)
    assert found == Confusion(
        tp=2, fp=0, tn=3, fn=2, undecided=1, threshold=0.4, cells=("tn", "tn", "tn", "fn", "fn", "tp", "tp", "undecided")
    )
    assert (found.accuracy, found.precision, found.recall, found.f1) == (5 / 7, 1.0, 0.5, pytest.approx(2 / 3))


def test_confusion_without_bad_images_has_an_accuracy_alone() -> None:
    found = image_confusion([False, False], [1.0, 3.0], 2.0)
    assert (found.accuracy, found.precision, found.recall, found.f1) == (0.5, None, None, None)
    nothing = image_confusion([True], [None], 2.0)
    assert (nothing.undecided, nothing.accuracy, nothing.recall) == (1, None, None)


def test_confusion_where_nothing_is_predicted() -> None:
    found = image_confusion([True, False], [1.0, 1.0], 2.0)
    assert (found.precision, found.recall, found.f1) == (None, 0.0, 0.0)


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^image 2: the score is nan: give None for an image that could not be judged"):
        image_auroc([True, False, True], [1.0, None, float("nan")])
    with pytest.raises(ConfigError, match=r"^image 0: the score is inf"):
        image_confusion([True], [float("inf")], 1.0)
    with pytest.raises(ConfigError, match="1 labels, but 2 scores"):
        roc_points([True], [1.0, 2.0])
    with pytest.raises(ConfigError, match="the threshold is NaN"):
        image_confusion([True], [1.0], float("nan"))
