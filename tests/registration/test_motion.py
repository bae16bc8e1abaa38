from __future__ import annotations

import numpy as np
import pytest

from edge.registration.gates import shape_of
from edge.registration.motion import MOTIONS, choose, distances, fit, spread, transform

SIZE_WH = (960, 400)
GRID_WH = (8, 4)
CELL = 120
SHIFT = np.array([[1, 0, 5.0], [0, 1, -3], [0, 0, 1]])
TURN = np.array([[0.9998, -0.0175, 12], [0.0175, 0.9998, -9], [0, 0, 1]])
SHEAR = np.array([[1.01, 0.004, 5], [-0.003, 0.995, 2], [0, 0, 1]])
TILT = np.array([[1, 0.003, 5], [-0.003, 1, 2], [2e-5, -1e-5, 1]])
TRUE = dict(zip(MOTIONS, (np.eye(3), SHIFT, TURN, SHEAR, TILT), strict=True))


def points(number=200, seed=0, width=SIZE_WH[0], height=SIZE_WH[1]):
    return np.random.default_rng(seed).uniform(0, 1, (number, 2)) * (width, height)


def noisy(target, sigma=0.1, seed=1):
    return target + np.random.default_rng(seed).normal(0, sigma, target.shape)


def chosen(source, target):
    return choose(source, target, (target // CELL).astype(np.intp), GRID_WH, SIZE_WH, 0.02)


@pytest.mark.parametrize("motion", MOTIONS[1:])
def test_fit_is_exact_without_noise(motion):
    source = points()
    assert (
        distances(fit(motion, source, transform(TRUE[motion], source), SIZE_WH), source, transform(TRUE[motion], source)).max()
        < 1e-6
    )


@pytest.mark.parametrize("motion", MOTIONS[1:])
def test_fit_is_not_pulled_by_a_third_that_moved(motion):
    source = points()
    target = noisy(transform(TRUE[motion], source))
    target[:66] += (2.0, 1.0)
    corners = np.array([[0, 0], [959, 0], [0, 399], [959, 399.0]])
    assert distances(fit(motion, source, target, SIZE_WH), corners, transform(TRUE[motion], corners)).max() < 0.5


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("seed", range(3))
def test_choose_takes_the_simplest_that_explains(motion, seed):
    source = points(seed=seed)
    found, matrix = chosen(source, noisy(transform(TRUE[motion], source), seed=seed + 9))
    assert found == motion
    assert np.median(distances(matrix, source, transform(TRUE[motion], source))) < 0.06


def test_choose_gives_no_homography_to_a_quarter_of_the_frame():
    source = points(width=480, height=200)
    assert chosen(source, noisy(transform(TILT, source)))[0] in ("similarity", "affine")


@pytest.mark.parametrize("number", [8, 10, 15])
def test_choose_survives_few_and_degenerate_points(number):
    line = np.column_stack([np.linspace(0, 900, number), np.full(number, 100.0)])
    for source in (line, np.repeat(points(1), number, 0), points(number)):
        motion, matrix = chosen(source, noisy(source + 3))
        assert motion != "homography"
        assert np.isfinite(matrix).all()


def test_spread_of_known_shapes():
    columns, rows = np.meshgrid(np.arange(8), np.arange(4))
    full = np.column_stack([columns.ravel(), rows.ravel()])
    quarter = full[(full[:, 0] < 4) & (full[:, 1] < 2)]
    assert spread(full, GRID_WH) == pytest.approx(1)
    assert spread(quarter, GRID_WH) == pytest.approx(0.45, abs=0.06)
    assert spread(np.vstack([quarter, [[7, 3]]]), GRID_WH) < 0.65
    assert spread(full[full[:, 1] == 0], GRID_WH) == 0
    assert spread(full[:0], GRID_WH) == 0


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((3, 3)),
        np.full((3, 3), np.nan),
        np.diag([1, 1, 0.0]),
        np.diag([0, 1, 1.0]),
        np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]]),
    ],
)
def test_degenerate_matrices_have_no_shape(matrix):
    assert shape_of(matrix, SIZE_WH) is None


def test_shape_of_a_known_motion():
    c, s = 1.02 * np.cos(np.deg2rad(2)), 1.02 * np.sin(np.deg2rad(2))
    shape = shape_of(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]), SIZE_WH)
    assert shape.rotation_deg == pytest.approx(2)
    assert shape.scale == pytest.approx(1.02)
    assert shape.shear == pytest.approx(0, abs=1e-9)
    assert shape.shift_px == pytest.approx(abs(1.02 * np.exp(1j * np.deg2rad(2)) - 1) * np.hypot(959, 399))
    assert shape_of(np.diag([0.5, 0.5, 1]), SIZE_WH).scale == pytest.approx(2)
    assert shape_of(np.diag([-1.0, 1, 1]), SIZE_WH).determinant == pytest.approx(-1)
