"""What every exact figure of pixels is made of: how the background lies around each anomalous score.

The scores of anomalous pixels are few; only at them does the share that is found change. So for each distinct one it is
enough to know how many anomalous pixels have it, which shares of regions they are, how many background pixels lie below
it and how many equal it: AUROC, average precision, AUPRO and all curves follow exactly, ties included, and the
background need never be in memory at once, nor sorted as a whole, nor argsorted at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.metrics.maps import Maps, Values

Counted = NDArray[np.uint32] | NDArray[np.int64]
Float64s = NDArray[np.float64]

_SMALLEST_CHUNK_PX, _LARGEST_CHUNK_PX = 1 << 20, 1 << 24
_BLOCK = 1 << 19
_UINT32_MAX = 2**32 - 1


@dataclass(frozen=True, eq=False)
class Block:
    """A piece of the way from the highest anomalous score down, float64 but for the scores.

    values (K): the scores. positives, shares: of anomalous pixels that have it. found, overlap: sums of these at or above
    it. above, reached: background pixels above it, and at or above it.
    """

    values: Values
    positives: Float64s
    shares: Float64s
    found: Float64s
    overlap: Float64s
    above: Float64s
    reached: Float64s

    @property
    def just_under(self) -> Float64s:
        """The thresholds above which these scores, and none that are lower, lie."""
        return np.nextafter(self.values, np.asarray(-np.inf, self.values.dtype)).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Steps:
    """For each distinct anomalous score, ascending: the counts around it.

    values (K): the scores, in the maps' type. positives: anomalous pixels that have it. shares: sum of their shares of
    their regions. below, equal: background pixels below it, and at it. lowest, highest: of all pixels.
    """

    values: Values
    positives: Counted
    shares: Float64s
    below: Counted
    equal: Counted
    background: int
    regions: int
    lowest: float
    highest: float

    @property
    def anomalous(self) -> int:
        """Anomalous pixels."""
        return int(self.positives.sum(dtype=np.int64))

    def falling(self) -> Iterator[Block]:
        """The steps from the highest score down, in blocks, so that no sums over all of them are in memory at once."""
        found = overlap = 0.0
        for end in range(len(self.values), 0, -_BLOCK):
            part = slice(max(end - _BLOCK, 0), end)
            positives, shares = self.positives[part][::-1].astype(np.float64), self.shares[part][::-1]
            reached = self.background - self.below[part][::-1].astype(np.float64)
            block = Block(
                values=self.values[part][::-1],
                positives=positives,
                shares=shares,
                found=found + np.cumsum(positives),
                overlap=overlap + np.cumsum(shares),
                above=reached - self.equal[part][::-1],
                reached=reached,
            )
            found, overlap = float(block.found[-1]), float(block.overlap[-1])
            yield block


def count_steps(maps: Maps) -> Steps:
    """Read every map twice (those with truth three times) and count."""
    values, positives = _distinct(maps.all_anomalous())
    below: Counted = np.zeros(len(values), np.uint32)
    equal: Counted = np.zeros(len(values), np.uint32)
    background = 0
    lowest, highest = (float(values[0]), float(values[-1])) if len(values) else (np.inf, -np.inf)
    for chunk in maps.background_chunks(int(np.clip(4 * len(values), _SMALLEST_CHUNK_PX, _LARGEST_CHUNK_PX))):
        background += chunk.size
        if background > _UINT32_MAX:
            below, equal = below.astype(np.int64, copy=False), equal.astype(np.int64, copy=False)
        _count(chunk, values, below, equal)
        lowest, highest = min(lowest, float(chunk[0])), max(highest, float(chunk[-1]))
    shares, regions = _shares(maps, values)
    return Steps(values, positives, shares, below, equal, background, regions, lowest, highest)


def _distinct(values: Values) -> tuple[Values, Counted]:
    values.sort()
    first = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    counts = np.diff(starts, append=len(values))
    return values[starts], counts.astype(np.uint32 if len(values) <= _UINT32_MAX else np.int64)


def _count(chunk: Values, values: Values, below: Counted, equal: Counted) -> None:
    for start in range(0, len(values), _BLOCK):
        wanted = values[start : start + _BLOCK]
        left = np.searchsorted(chunk, wanted, "left")
        below[start : start + _BLOCK] += left.astype(below.dtype)
        tied = np.flatnonzero(chunk[np.minimum(left, len(chunk) - 1)] == wanted)
        equal[start + tied] += (np.searchsorted(chunk, wanted[tied], "right") - left[tied]).astype(equal.dtype)


def _shares(maps: Maps, values: Values) -> tuple[Float64s, int]:
    total, regions = np.zeros(len(values)), 0
    for index in range(len(maps)):
        scores, shares, count = maps.shares(index)
        if count:
            order = np.argsort(scores)  # searching in order stays in the cache
            np.add.at(total, np.searchsorted(values, scores[order]), shares[order])
            regions += count
    return total, regions
