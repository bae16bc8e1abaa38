"""Maps, truths and what is left out of them, checked as they are read, one map at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError
from edge.types import MapF32, MaskBool

Values = NDArray[np.floating]
Shares = NDArray[np.float64]


class Maps:
    """A sequence of maps (float HxW), each with its truth (bool HxW, None: nothing anomalous) and its ignored pixels.

    A sequence may load or compute a map when it is asked for: each is asked for a few times, and never all at once.
    """

    def __init__(
        self,
        maps: Sequence[MapF32],
        truths: Sequence[MaskBool | None],
        ignore: Sequence[MaskBool | None] | None,
        names: Sequence[str] | None,
    ) -> None:
        for what, given in (("truths", truths), ("ignore masks", ignore), ("names", names)):
            if given is not None and len(given) != len(maps):
                raise ConfigError(f"{len(maps)} maps, but {len(given)} {what}", remedy="give one for each map")
        self._maps, self._truths, self._ignore, self._names = maps, truths, ignore, names

    def __len__(self) -> int:
        return len(self._maps)

    def where(self, index: int) -> str:
        """The map's name for an error message."""
        return f"map {index}" if self._names is None else f"map {index} ({self._names[index]})"

    def is_bad(self, index: int) -> bool:
        """True if the map's truth has an anomalous pixel that counts."""
        truth = self._truths[index]
        if truth is None:
            return False
        skipped = self._skipped(index, truth.shape)
        return bool(truth.any() if skipped is None else (truth & ~skipped).any())

    def anomalous(self, index: int) -> Values:
        """The scores (N) of a map's anomalous pixels. ConfigError where they, or the truth, are not what they must be."""
        return self._picked(index, anomalous=True)

    def background(self, index: int) -> Values:
        """The scores (N) of all others that count; a view of the map where all do."""
        return self._picked(index, anomalous=False)

    def all_anomalous(self) -> Values:
        """The scores of every anomalous pixel of every map, in one array of its own."""
        each = [self.anomalous(index) for index in range(len(self)) if self._truths[index] is not None]
        return np.concatenate(each) if each else np.zeros(0, np.float32)

    def background_chunks(self, pixels: int) -> Iterator[Values]:
        """The scores of all other pixels in ascending chunks, each of one map or of several with about `pixels` together."""
        waiting: list[Values] = []
        count = 0
        for index in range(len(self)):
            values = self.background(index)
            waiting.append(values)
            count += values.size
            if count >= pixels:
                yield _ascending(waiting)
                waiting, count = [], 0
        if count:
            yield _ascending(waiting)

    def shares(self, index: int) -> tuple[Values, Shares, int]:
        """Of a map's anomalous pixels: their scores (N), the share that each has of its region (N), and how many regions.

        Regions are the 8-connected components of the truth. One that ignored pixels cut stays one; its area is what
        counts of it, and where nothing does it is no region.
        """
        truth = self._truths[index]
        values = self.anomalous(index)
        if truth is None or not values.size:
            return values, np.zeros(values.size), 0
        skipped = self._skipped(index, truth.shape)
        labels = cv2.connectedComponents(np.ascontiguousarray(truth).view(np.uint8), connectivity=8, ltype=cv2.CV_32S)[1]
        mine = labels[truth if skipped is None else truth & ~skipped]
        areas = np.bincount(mine)
        return values, 1.0 / areas[mine], int(np.count_nonzero(areas))

    def _picked(self, index: int, *, anomalous: bool) -> Values:
        scores = self._maps[index]
        if scores.ndim != 2 or not np.issubdtype(scores.dtype, np.floating):
            raise ConfigError(f"must be a float HxW array, is {scores.dtype} {scores.shape}", where=self.where(index))
        truth = self._checked(self._truths[index], "truth", index, scores.shape)
        skipped = self._skipped(index, scores.shape)
        if anomalous:
            keep = truth if skipped is None or truth is None else truth & ~skipped
            values = scores[keep] if keep is not None else np.zeros(0, scores.dtype)
        elif truth is None and skipped is None:
            values = scores.ravel()
        else:
            out = skipped if truth is None else truth if skipped is None else truth | skipped
            values = scores[~np.asarray(out)]
        if values.size and not (np.isfinite(values.min()) and np.isfinite(values.max())):
            raise ConfigError(
                "a score is NaN or infinite",
                where=self.where(index),
                remedy="leave this frame out as undecided, and look at the bundle that gave the map",
            )
        return values

    def _skipped(self, index: int, shape: tuple[int, ...]) -> MaskBool | None:
        return None if self._ignore is None else self._checked(self._ignore[index], "ignore mask", index, shape)

    def _checked(self, mask: MaskBool | None, what: str, index: int, shape: tuple[int, ...]) -> MaskBool | None:
        if mask is None:
            return None
        if mask.dtype != np.bool_:
            raise ConfigError(f"the {what} must be bool, is {mask.dtype}", where=self.where(index))
        if mask.shape != shape:
            raise ConfigError(
                f"the {what} is {_size(mask.shape)} pixels, the map {_size(shape)}",
                where=self.where(index),
                remedy=f"give the {what} at the size of its map",
            )
        return mask


def _ascending(parts: list[Values]) -> Values:
    together = np.concatenate(parts)
    together.sort()
    return together


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(str(length) for length in reversed(shape))
