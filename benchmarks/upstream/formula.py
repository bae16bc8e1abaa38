"""Weights and pictures that follow from their names, the same on every machine: what upstream's code made of them is recorded.

The recorded values in the tests were printed by `python -m benchmarks.upstream.ddad --record` and `... bit --record`, which
put these very numbers into upstream's own networks.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from edge.bundle.noise import stored_noise


def normals(name: str, count: int) -> NDArray[np.float32]:
    """Standard normal numbers, float32 [count], that depend on the name alone."""
    return stored_noise(zlib.crc32(name.encode()), 1, (-(-count // 3), 1)).reshape(-1)[:count].copy()


def weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """A tensor for every name, drawn so that values neither vanish nor explode on their way through a network."""
    return {name: torch.from_numpy(_drawn(name, tuple(shape))) for name, shape in shapes.items()}


def picture(name: str, side: int) -> NDArray[np.uint8]:
    """uint8 [side, side, 3]: soft blobs and a little grain."""
    rows, columns = np.indices((side, side)) / side
    waves = [np.sin(2 * np.pi * (phase + (1 + phase) * rows + (2 - phase) * columns)) for phase in (0.1, 0.4, 0.7)]
    grain = normals(name, side * side * 3).reshape(side, side, 3)
    return np.asarray(np.clip(128 + 70 * np.stack(waves, 2) + 12 * grain, 0, 255), np.uint8)


def _drawn(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    count = int(np.prod(shape))
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.float32)
    drawn = normals(name, count).reshape(shape)
    if name.endswith("running_var"):
        return np.asarray(np.exp(0.3 * drawn), np.float32)
    if len(shape) > 1:
        fan = int(np.prod(shape[1:]))
        return np.asarray(drawn * np.float32(fan**-0.5), np.float32)
    middle = 1.0 if name.endswith("weight") else 0.0
    return np.asarray(middle + 0.1 * drawn, np.float32)
