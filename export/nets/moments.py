"""Mean and variance of what a window shows, without the cancellation of E[x^2] - E[x]^2.

In an even, bright area that difference keeps one digit of float32, and two runtimes that sum in different orders keep
different ones (SSIM of a trained auto-encoder, white background: 1e-4 off in each). Here every difference is taken from the
window's middle pixel first, exactly or nearly so, as in Chan, Golub and LeVeque, "Algorithms for computing the sample
variance", 1983; along the rows, then along the columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

_ROW, _COLUMN = 3, 2


def moments(planes: Tensor, taps: Sequence[float]) -> tuple[Tensor, Tensor]:
    """NCHW to the weighted mean and variance in each whole window, NCH'W' each, smaller by len(taps) - 1.

    taps: of one axis, an odd number, the same from both ends, their sum 1; the window's weights are their products.
    """
    across, within = _along(planes, taps, _ROW)
    mean, between = _along(across, taps, _COLUMN)
    return mean, weighted(within, taps, _COLUMN) + between


def weighted(planes: Tensor, taps: Sequence[float], axis: int) -> Tensor:
    """NCHW to its weighted sum along one axis (2: down, 3: across), each channel for itself."""
    # A plain number: where the exporter cannot tell the channels, it would write a kernel of unknown shape.
    channels = int(planes.shape[1])
    shape = (1, 1, 1, -1) if axis == _ROW else (1, 1, -1, 1)
    line = torch.tensor(taps, dtype=planes.dtype).view(shape).repeat(channels, 1, 1, 1)
    return functional.conv2d(planes, line, groups=channels)


def _along(planes: Tensor, taps: Sequence[float], axis: int) -> tuple[Tensor, Tensor]:
    length, half = int(planes.shape[axis]) - len(taps) + 1, len(taps) // 2
    middle = planes.narrow(axis, half, length)
    mean = weighted(planes, taps, axis)
    square = (mean - middle).square().neg()
    for place, tap in enumerate(taps[:half]):
        before, after = (planes.narrow(axis, each, length) - middle for each in (place, len(taps) - 1 - place))
        square = square + (before.square() + after.square()) * tap
    return mean, square
