"""Motion models between point sets, and the choice of the simplest one that the evidence supports.

Points are float64 Nx2. A model is fitted by Gauss-Newton on the reprojection error with Tukey weights, in coordinates
centred and scaled by the frame, so that one small routine serves every model. The choice is made by spatial
cross-validation: a model must predict cells of the image that it has not seen. Errors of neighbouring points share
their cause (a reflection, a moved part), so a criterion that counts points (AIC, BIC) would believe too much freedom.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edge.types import Homography

Points = NDArray[np.float64]
Motion = Literal["identity", "translation", "similarity", "affine", "homography"]
MOTIONS: tuple[Motion, ...] = get_args(Motion)

FOLDS = 5
ENOUGH_POINTS = 200  # for the choice; the fit takes all
TUKEY_SIGMAS = 4.685  # 95 % efficiency on normal errors (Beaton and Tukey 1974)
MEDIAN_TO_SIGMA = 1 / 1.1774  # the median length of a 2-D normal error is 1.1774 sigma
GAIN = 0.05  # more freedom must take at least this share off the error in unseen cells; more where points are few
BETTER_SHARE = 0.8  # of unseen points count: the rest may be what moved
NEEDED_SPREAD: Mapping[Motion, float] = {"affine": 0.4, "homography": 0.65}  # see `spread`; a quarter of the frame has 0.5


def _generators() -> dict[Motion, NDArray[np.float64]]:
    xx, xy, tx, yx, yy, ty, px, py, _ = np.eye(9).reshape(9, 3, 3)
    return {
        "translation": np.stack([tx, ty]),
        "similarity": np.stack([tx, ty, xx + yy, yx - xy]),
        "affine": np.stack([tx, ty, xx, xy, yx, yy]),
        "homography": np.stack([tx, ty, xx, xy, yx, yy, px, py]),
    }


GENERATORS = _generators()


def transform(matrix: Homography, points: Points) -> Points:
    """Points Nx2 mapped by a 3x3 homography; inf or NaN where they map to infinity."""
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(mapped[:, :2] / mapped[:, 2:])


def distances(matrix: Homography, source: Points, target: Points) -> NDArray[np.float64]:
    """Reprojection error of each point, in target pixels."""
    gap = transform(matrix, source) - target
    return np.asarray(np.hypot(gap[:, 0], gap[:, 1]))


def spread(cells: NDArray[np.intp], grid_wh: tuple[int, int]) -> float:
    """How far the occupied cells reach over a grid, in their narrowest direction: 1 all over, 0.5 a quarter, 0 a line.

    cells: integer Nx2 (column, row). The standard deviation against that of the full grid, so that one stray point far
    off does not make a cluster look wide.
    """
    occupied = np.unique(cells, axis=0)
    if len(occupied) < 3:
        return 0.0
    full = np.maximum((np.array(grid_wh, float) ** 2 - 1) / 12, 1 / 12)
    covariance = np.cov(occupied.T, bias=True) / np.sqrt(np.outer(full, full))
    return float(np.sqrt(max(0.0, np.linalg.eigvalsh(covariance)[0])))


def normaliser(size_wh: tuple[int, int]) -> Homography:
    """Pixels to coordinates with (0, 0) in the middle of the image and 1 at half its longer side."""
    width, height = size_wh
    half = max(width, height) / 2
    return np.array([[1 / half, 0, -(width - 1) / 2 / half], [0, 1 / half, -(height - 1) / 2 / half], [0, 0, 1]])


def _refine(
    motion: Motion, source: Points, target: Points, used: NDArray[np.bool_], start: NDArray[np.float64], steps: int
) -> NDArray[np.float64]:
    """Gauss-Newton with Tukey weights for several subsets at once: used bool FxN, start and result Fx3x3.

    In normalised coordinates. A subset whose system is singular, or that runs away, keeps its last good matrix.
    """
    generators = GENERATORS[motion]
    moved = source @ generators[:, :, :2].transpose(0, 2, 1) + generators[:, None, :, 2]
    matrices = start
    for _ in range(steps):
        homogeneous = source @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2]
        depth = homogeneous[:, :, 2:]
        mapped = homogeneous[:, :, :2] / depth
        gap = target - mapped
        error = np.hypot(gap[..., 0], gap[..., 1])
        reach = TUKEY_SIGMAS * np.maximum(MEDIAN_TO_SIGMA * np.median(error, axis=1, keepdims=True), 1e-9)
        weight = np.maximum(0.0, 1 - (error / reach) ** 2) ** 2 * used
        jacobian = (moved[None, :, :, :2] - mapped[:, None] * moved[None, :, :, 2:]) / depth[:, None]
        weighted = (jacobian * weight[:, None, :, None]).reshape(len(matrices), len(generators), -1)
        normal = weighted @ jacobian.reshape(weighted.shape).transpose(0, 2, 1)
        normal += 1e-9 * np.eye(len(generators))
        change = np.linalg.solve(normal, weighted @ gap.reshape(len(matrices), -1, 1))[..., 0]
        following = matrices + np.tensordot(change, generators, 1)
        steady = (following[:, 2, 2] + source @ following[:, 2, :2].T).min(0) > 0.1
        matrices = np.where(steady[:, None, None], following, matrices)
    return matrices


def fit(motion: Motion, source: Points, target: Points, size_wh: tuple[int, int], steps: int = 5) -> Homography:
    """The robust least-squares `motion` from source to target (pixels of an image of that size)."""
    if motion == "identity":
        return np.eye(3)
    frame = normaliser(size_wh)
    used = np.ones((1, len(source)), bool)
    matrix = _refine(motion, transform(frame, source), transform(frame, target), used, np.eye(3)[None], steps)[0]
    pixels = np.linalg.inv(frame) @ matrix @ frame
    return np.asarray(pixels / pixels[2, 2])


def choose(
    source: Points, target: Points, cells: NDArray[np.intp], grid_wh: tuple[int, int], size_wh: tuple[int, int], floor_px: float
) -> tuple[Motion, Homography]:
    """The simplest motion that predicts unseen cells about as well as any freer one, fitted to all points.

    Points come in an order whose beginning is spread as well as the whole. cells: integer Nx2 (column, row) cell of each
    target point in a grid of grid_wh. Affine and homography need points
    spread over the grid, for they extrapolate badly. floor_px: less difference of error than that is no evidence.
    """
    reach = spread(cells, grid_wh)
    fold = (cells[:, 0] + 2 * cells[:, 1]) % FOLDS
    errors = _unseen_errors(source[:ENOUGH_POINTS], target[:ENOUGH_POINTS], fold[:ENOUGH_POINTS], size_wh)
    gain = max(GAIN, 1 / np.sqrt(len(source)))
    best: Motion = "identity"
    for motion in MOTIONS[1:]:
        pays = errors[motion] < min((1 - gain) * errors[best], errors[best] - floor_px)
        if pays and reach >= NEEDED_SPREAD.get(motion, 0.0):
            best = motion
    return best, fit(best, source, target, size_wh)


def _unseen_errors(source: Points, target: Points, fold: NDArray[np.intp], size_wh: tuple[int, int]) -> dict[Motion, float]:
    """For each motion the mean error in pixels of the better points in folds that its fit has not seen."""
    frame = normaliser(size_wh)
    places, goals = transform(frame, source), transform(frame, target)
    matrices = np.repeat(np.eye(3)[None], FOLDS, 0)
    seen = fold[None, :] != np.arange(FOLDS)[:, None]
    own = np.arange(len(source))
    errors: dict[Motion, float] = {}
    for motion in MOTIONS:
        if motion != "identity":
            matrices = _refine(motion, places, goals, seen, matrices, 2)
        mine = matrices[fold]
        mapped = (mine[:, :, :2] @ places[own, :, None])[..., 0] + mine[:, :, 2]
        error = np.sort(np.linalg.norm(mapped[:, :2] / mapped[:, 2:] - goals, axis=1))
        errors[motion] = float(error[: max(1, int(BETTER_SHARE * len(error)))].mean() * max(size_wh) / 2)
    return errors
