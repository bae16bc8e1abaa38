"""The Gaussian of good images: fitted, shrunk, and brought into the form that a graph can compute without overflow.

A Mahalanobis distance is written as a length, |(x - mean) L| with L L^T the inverse covariance: the precision matrix itself
overflows float16 and costs digits in float32. Where there are fewer images than dimensions the covariance is a small
matrix plus a constant on the diagonal, and its few axes are all that is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError, ConfigError

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
MAX_DIMENSIONS = 4096
LEAST_IMAGES = 2
# Squared, relative: what differs by less is float32's rounding in the network, not the images.
ROUNDING = 1e-11


@dataclass(frozen=True, eq=False)
class Gaussian:
    """mean: float32 [D]. factor: float32 [D, D], lower triangular; the distance of x is |(x - mean) factor|."""

    mean: F32
    factor: F32


@dataclass(frozen=True, eq=False)
class GaussianField:
    """A Gaussian per place, all with the same `epsilon` on the diagonal. P places, D dimensions, R axes.

    mean: float32 [P, D]. axes: float32 [P, D, R], orthonormal. weights: float32 [P, R]: with c = axes^T (x - mean) and r
    what is left of x - mean, the squared distance is (|r|^2 + sum(weights c^2)) / epsilon. Exact, not an approximation.
    """

    mean: F32
    axes: F32
    weights: F32
    epsilon: float

    @property
    def nbytes(self) -> int:
        """What the graph stores of it."""
        return self.mean.nbytes + self.axes.nbytes + self.weights.nbytes


def ledoit_wolf(samples: NDArray[np.floating]) -> tuple[F64, F64, float]:
    """(mean [D], covariance [D, D], shrinkage) of samples [N, D].

    Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004: the covariance drawn
    towards a multiple of the identity by the share that minimises the expected error. As scikit-learn's `LedoitWolf`.
    """
    x = np.asarray(samples, np.float64)
    count, dimensions = x.shape
    mean = x.mean(0)
    x = x - mean
    covariance = x.T @ x / count
    level = np.trace(covariance) / dimensions
    squared = x**2
    spread = float(((squared.T @ squared) / count - covariance**2).sum()) / count
    distance = float((covariance**2).sum() - dimensions * level**2)
    shrinkage = 0.0 if distance <= 0 else min(max(spread, 0.0), distance) / distance
    shrunk = (1 - shrinkage) * covariance
    shrunk[np.diag_indices(dimensions)] += shrinkage * level
    return mean, shrunk, shrinkage


def fit(samples: NDArray[np.floating]) -> tuple[Gaussian, float]:
    """The Gaussian of embeddings [N, D] by Ledoit and Wolf, and its shrinkage. ConfigError: images that are all alike."""
    if len(samples) < LEAST_IMAGES:
        raise ConfigError(f"{len(samples)} images cannot have a spread", remedy="give at least 10, better 30 good images")
    mean, covariance, shrinkage = ledoit_wolf(samples)
    if not np.isfinite(covariance).all() or np.trace(covariance) <= ROUNDING * float(mean @ mean):
        raise ConfigError(
            "the good images give one and the same embedding: nothing can be measured against it",
            remedy="give different good images, and check that the checkpoint is a trained one",
        )
    return gaussian_of(mean, np.asarray(np.linalg.inv(covariance), np.float64), "the covariance of the good images"), shrinkage


def gaussian_of(mean: F64, precision: F64, where: str) -> Gaussian:
    """From mean [D] and precision [D, D]. BundleError: not symmetric, not positive definite, not finite."""
    if not (np.isfinite(mean).all() and np.isfinite(precision).all()):
        raise BundleError("holds values that are no numbers", where=where, remedy="fit it again")
    if not np.allclose(precision, precision.T, rtol=1e-4, atol=1e-6 * float(np.abs(precision).max())):
        raise BundleError("the precision is not symmetric", where=where, remedy="give the inverse of the covariance")
    try:
        factor = np.linalg.cholesky((precision + precision.T) / 2)
    except np.linalg.LinAlgError:
        raise BundleError(
            "the precision is not positive definite", where=where, remedy="shrink the covariance (LedoitWolf), then invert it"
        ) from None
    return Gaussian(mean.astype(np.float32), factor.astype(np.float32))


def load_gaussian(path: Path, dimensions: int) -> Gaussian:
    """`mean` [D] and `precision` [D, D] of a .npz file. BundleError says what is wrong with it."""
    where = str(path)
    remedy = "write it with numpy.savez(file, mean=..., precision=...)"
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            if (
                not isinstance(arrays, np.lib.npyio.NpzFile)
                or arrays.zip is None
                or not {"mean", "precision"} <= set(arrays.files)
            ):
                raise BundleError("has no arrays `mean` and `precision`", where=where, remedy=remedy)
            sizes = [arrays.zip.getinfo(f"{name}.npy").file_size for name in ("mean", "precision")]
            if sum(sizes) > 8 * MAX_DIMENSIONS * (MAX_DIMENSIONS + 2):
                raise BundleError("is larger than any Gaussian of an embedding", where=where, remedy=remedy)
            mean, precision = (np.asarray(arrays[name], np.float64) for name in ("mean", "precision"))
    except (OSError, ValueError, TypeError, BadZipFile, KeyError, EOFError, AttributeError) as error:
        raise BundleError(f"cannot be read ({error})", where=where, remedy=remedy) from None
    mean = mean.reshape(-1)
    if mean.shape != (dimensions,) or precision.shape != (dimensions, dimensions):
        shown = f"mean {list(mean.shape)} and precision {list(precision.shape)}"
        raise BundleError(
            f"has {shown}; the embedding has {dimensions} dimensions", where=where, remedy="fit it on this network"
        )
    return gaussian_of(mean, precision, where)


def fit_field(samples: NDArray[np.floating], epsilon: float) -> GaussianField:
    """A Gaussian per place from samples [N, P, D]: covariance (N - 1 in the divisor) plus `epsilon` on the diagonal (PaDiM)."""
    count, places, dimensions = samples.shape
    if count < LEAST_IMAGES:
        raise ConfigError(f"{count} images cannot have a spread", remedy="give at least 10, better 30 good images")
    rank = min(count - 1, dimensions)
    mean = samples.mean(0, dtype=np.float64)
    axes = np.empty((places, dimensions, rank), np.float32)
    weights = np.empty((places, rank), np.float32)
    for first in range(0, places, 256):
        part = slice(first, first + 256)
        centred = (samples[:, part] - mean[part]).transpose(1, 0, 2)
        _, values, right = np.linalg.svd(centred, full_matrices=False)
        axes[part] = right[:, :rank].transpose(0, 2, 1)
        weights[part] = epsilon / (values[:, :rank] ** 2 / (count - 1) + epsilon)
    return GaussianField(mean.astype(np.float32), axes, weights, epsilon)
