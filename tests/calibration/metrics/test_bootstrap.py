"""Intervals: seeded, by image, as wide as they must be."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.metrics import (
    Interval,
    PixelSet,
    bootstrap,
    image_auroc,
    image_confusion,
    image_interval,
    pixel_intervals,
)
from calibration.metrics.intervals import _Tables
from edge.errors import Cancelled, ConfigError

TRUE_AUROC = 0.7602499  # Phi(1 / sqrt(2)): bad scores are one standard deviation higher


def _scores(random: np.random.Generator, good: int = 30, bad: int = 30) -> tuple[np.ndarray, np.ndarray]:
    labels = np.r_[np.zeros(good, bool), np.ones(bad, bool)]
    return labels, random.normal(size=good + bad) + labels


def test_one_seed_gives_one_interval() -> None:
    labels, scores = _scores(np.random.default_rng(0))
    one, same, other = (image_interval(image_auroc, labels, scores, seed=seed, rounds=60) for seed in (7, 7, 8))
    assert one == same != other
    assert one is not None
    assert one.low < (image_auroc(labels, scores) or 0) < one.high
    assert (one.confidence, one.rounds, one.undefined, one.bins) == (0.95, 60, 0, None)


def test_the_interval_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(1).normal(size=400)
    found = bootstrap(lambda picked: float(values[picked].mean()), [0] * 400, seed=0, rounds=4000, confidence=0.9)
    assert found is not None
    error = 1.6449 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - error, abs=0.01)
    assert found.high == pytest.approx(values.mean() + error, abs=0.01)


def test_it_holds_the_truth_as_often_as_it_says() -> None:
    """60 data sets at 90 %: fewer than 46 or more than 59 that hold it is a chance below 1 in 300 for an honest one."""
    random = np.random.default_rng(2)
    held = 0
    for seed in range(60):
        labels, scores = _scores(random)
        bad, good = scores[labels], scores[~labels]
        wins = (bad[:, None] > good[None, :]).astype(float)
        found = bootstrap(
            lambda picked, wins=wins: float(wins[picked[picked >= 30] - 30][:, picked[picked < 30]].mean()),
            labels.tolist(), seed=seed, rounds=300, confidence=0.9,
        )  # fmt: skip
        assert found is not None
        held += found.low <= TRUE_AUROC <= found.high
    assert 46 <= held <= 59


def test_good_and_bad_stay_as_many_as_they_were() -> None:
    labels = [False] * 20 + [True]
    seen: list[tuple[int, int]] = []

    def count(picked: np.ndarray) -> float:
        seen.append((int((picked < 20).sum()), int((picked == 20).sum())))
        return 0.0

    bootstrap(count, labels, seed=0, rounds=30)
    assert set(seen) == {(20, 1)}


def test_undecided_images_stay_as_many_as_they_were() -> None:
    found = image_interval(
        lambda labels, scores: float(image_confusion(labels, scores, 1.5).undecided),
        [False, False, True, True, True], [1.0, None, None, None, 2.0], seed=0, rounds=40,
    )  # fmt: skip
    assert found == Interval(3.0, 3.0, 0.95, 40)


def test_an_undefined_figure_has_no_interval() -> None:
    assert image_interval(image_auroc, [False, False], [1.0, 2.0], seed=0) is None
    assert bootstrap(lambda _: 1.0, [], seed=0) is None


def test_undefined_rounds_are_left_out_and_counted() -> None:
    found = bootstrap(lambda picked: None if 0 not in picked else 1.0, [0, 0], seed=0, rounds=200)
    assert found is not None
    assert (found.low, found.high) == (1.0, 1.0)
    assert 20 < found.undefined < 90


def test_it_says_how_far_it_is_and_can_be_cancelled() -> None:
    told: list[tuple[int, int]] = []

    def stop_at_5(done: int, total: int, what: str = "") -> None:
        told.append((done, total))
        if done == 5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        bootstrap(lambda _: 1.0, [0], seed=0, rounds=10, progress=stop_at_5)
    assert told == [(done, 10) for done in range(1, 6)]


def test_wrong_questions_are_refused() -> None:
    for rounds, confidence in ((0, 0.95), (10, 1.0), (10, 95)):
        with pytest.raises(ConfigError, match="a bootstrap of"):
            bootstrap(lambda _: 1.0, [0], seed=0, rounds=rounds, confidence=confidence)
        with pytest.raises(ConfigError, match="a bootstrap of"):
            pixel_intervals(_pixels(), seed=0, rounds=rounds, confidence=confidence)
    with pytest.raises(ConfigError, match="false-positive rate is 2"):
        pixel_intervals(_pixels(), seed=0, limit=2)
    with pytest.raises(ConfigError, match="counted in 2 bins"):
        pixel_intervals(_pixels(), seed=0, bins=2)
    with pytest.raises(ConfigError, match="1 labels, but 2 scores"):
        image_interval(image_auroc, [True], [1.0, 2.0], seed=0)


def _views(count: int = 14, side: int = 48) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    random = np.random.default_rng(11)
    maps, truths = [], []
    for index in range(count):
        truth = np.zeros((side, side), bool)
        if index % 2:
            top, left, size = random.integers(2, 30, 3)
            truth[top : top + 3 + size // 3, left : left + 4] = truth[-4:-2, -4:] = True
        maps.append((random.normal(size=truth.shape) + 1.5 * truth * random.random()).astype(np.float32))
        truths.append(truth if index % 2 else None)
    return maps, truths


def _pixels() -> PixelSet:
    return PixelSet(*_views())


def test_pixel_intervals_are_those_of_the_exact_figures() -> None:
    """The same draws, each figure worked out anew from its images: no bound moves by more than 1e-3."""
    maps, truths = _views()
    pixels = PixelSet(maps, truths)
    quick = pixel_intervals(pixels, seed=5, rounds=60, threshold=1.0)

    def figure(name: str, picked: np.ndarray) -> float | None:
        drawn = PixelSet([maps[i] for i in picked], [truths[i] for i in picked])
        return drawn.iou(1.0) if name == "iou" else getattr(drawn, name)()

    strata = [truth is not None for truth in truths]
    for name in ("auroc", "average_precision", "aupro", "iou"):
        exact = bootstrap(lambda picked, name=name: figure(name, picked), strata, seed=5, rounds=60)
        found = getattr(quick, name)
        assert exact is not None
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-3)
        assert found.rounds == 60
        assert (found.bins is None) == (name == "iou")


@pytest.mark.parametrize(("region", "close"), [(4, 1e-9), (60, 1e-3)])
@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_binned_figures_of_all_images_are_close_to_the_exact_ones(scale: float, region: int, close: float) -> None:
    """In 4000 bins, nothing is lost where there are fewer than 2000 anomalous scores."""
    random = np.random.default_rng(3)
    truth = np.zeros((96, 96), bool)
    truth[:region, :region] = truth[80:83, 80:83] = True
    maps = [random.normal(size=truth.shape).astype(np.float32) for _ in range(12)]
    for one in maps[::2]:
        one[truth] *= scale
    pixels = PixelSet(maps, [truth, None] * 6)
    tables = _Tables(pixels, 0.3, 4000, None)
    binned = tables.figures(np.ones((1, len(maps))), 0.3)[0, :3]
    assert (len(pixels.steps.values) < 2000) == (close == 1e-9)
    assert tables.bins < 4000
    assert binned == pytest.approx([pixels.auroc(), pixels.average_precision(), pixels.aupro()], abs=close)


def test_the_number_of_bins_is_said() -> None:
    found = pixel_intervals(_pixels(), seed=0, rounds=10, bins=16)
    assert found.aupro is not None
    assert found.aupro.bins is not None
    assert found.aupro.bins <= 16
    assert found.iou is None


def test_pixel_intervals_say_how_far_they_are() -> None:
    told: list[tuple[int, int]] = []
    pixel_intervals(_pixels(), seed=0, rounds=120, progress=lambda done, total, what="": told.append((done, total)))
    assert told == [(50, 120), (100, 120), (120, 120)]
