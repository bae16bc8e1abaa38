"""Thinned curves stay close to the exact ones and say that they are thinned."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.metrics import Curve, PixelSet


@pytest.fixture(scope="module")
def pixels() -> PixelSet:
    random = np.random.default_rng(5)
    truth = np.zeros((200, 200), bool)
    truth[20:60, 30:90] = truth[120:125, 150:160] = True
    scores = random.normal(size=truth.shape).astype(np.float32) + truth
    return PixelSet([scores, random.normal(size=(100, 100)).astype(np.float32)], [truth, None])


def _distance(exact: Curve, thinned: Curve) -> float:
    """The largest gap between the exact vertices and the thinned line, along or across, whichever is less."""
    across = np.abs(np.interp(exact.x, thinned.x, thinned.y) - exact.y)
    along = np.abs(np.interp(exact.y, thinned.y, thinned.x) - exact.x)
    return float(np.minimum(across, along).max())


@pytest.mark.parametrize("points", [2, 11, 101, 1000])
def test_rising_curves_are_thinned_within_their_bound(pixels: PixelSet, points: int) -> None:
    for exact, thinned in (
        (pixels.roc_curve(None), pixels.roc_curve(points)),
        (pixels.pro_curve(None, 1.0), pixels.pro_curve(points, 1.0)),
    ):
        assert exact is not None
        assert thinned is not None
        assert _distance(exact, thinned) <= 2 / (points - 1)
        assert len(thinned) <= points + 1
        assert thinned.thinned
        assert thinned.vertices == len(exact) == exact.vertices
        assert not exact.thinned
        assert (thinned.x[0], thinned.y[0], thinned.x[-1], thinned.y[-1]) == (0, 0, 1, 1)
        assert (np.diff(thinned.thresholds) < 0).all()
        assert set(thinned.thresholds) <= set(exact.thresholds)


def test_the_precision_curve_is_thinned_and_keeps_its_ends(pixels: PixelSet) -> None:
    exact, thinned = pixels.pr_curve(None), pixels.pr_curve(200)
    assert exact is not None
    assert thinned is not None
    assert len(thinned) <= 201
    assert thinned.vertices == len(exact)
    assert (thinned.x[0], thinned.y[0]) == (0, 1)
    assert (thinned.x[-1], thinned.y[-1]) == (exact.x[-1], exact.y[-1])
    tail = thinned.x > 0.05
    assert np.abs(np.interp(exact.x, thinned.x[tail], thinned.y[tail]) - exact.y)[exact.x > 0.06].max() < 0.05


def test_the_pro_curve_ends_at_the_first_vertex_past_the_limit(pixels: PixelSet) -> None:
    whole, cut = pixels.pro_curve(None, 1.0), pixels.pro_curve(None, 0.3)
    assert whole is not None
    assert cut is not None
    assert cut.x[-2] <= 0.3 < cut.x[-1]
    np.testing.assert_array_equal(cut.x, whole.x[: len(cut)])
    np.testing.assert_array_equal(cut.y, whole.y[: len(cut)])


def test_the_area_never_comes_from_a_thinned_curve(pixels: PixelSet) -> None:
    before = pixels.aupro(1.0)
    pixels.pro_curve(3, 1.0)
    exact = pixels.pro_curve(None, 1.0)
    assert exact is not None
    assert pixels.aupro(1.0) == before == pytest.approx(np.sum(np.diff(exact.x) * (exact.y[1:] + exact.y[:-1])) / 2, abs=1e-12)


def test_a_short_curve_is_not_thinned_and_cannot_be_written_to() -> None:
    curve = PixelSet([np.array([[1, 2]], np.float32)], [np.array([[False, True]])]).pro_curve(50, 1.0)
    assert curve is not None
    assert curve.thresholds[0] == np.inf
    for array in (curve.x, curve.y, curve.thresholds):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5
