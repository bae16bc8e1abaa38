"""The ideal image of a symmetric part from one frame: find the axis, turn, take the median of every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.progress import Progress, silent
from calibration.reference.folds import LEAST_CONFIDENCE, MOST_FOLDS, REMEDY, choose_fold, likely_fold
from edge.errors import ConfigError
from edge.schema import validate
from edge.settings.symmetry import Locate, SymmetrySettings
from edge.symmetry import Ring, blob, find_centre, folds, rotational_median, spectrum, symmetry
from edge.types import ImageU8

ROOM = 1.03  # of a blob's reach: its blurred rim belongs to it
LEAST_BLOB = 0.002  # of the picture
STRAYS_GREY = 40
PASSES = 2
POLISH, POLISH_PASSES = 0.003, 3  # of the radius


@dataclass(frozen=True)
class Where:
    """Where the part is: around a centre (x, y) with a radius, in pixels, or the largest dark or bright area (`locate`).

    inner_px: what is nearer to the axis tells nothing of the symmetry, such as a bore.
    """

    locate: Locate = "place"
    centre: tuple[float, float] | None = None
    radius_px: float | None = None
    inner_px: float = 0.0


@dataclass(frozen=True, eq=False)
class Ideal:
    """The ideal image, and what it was made with. ring: in pixels. found: True if the fold was not given.

    confidence: how much of the part's structure repeats (1 all, 0 chance). spread_px: how far the turns disagree about the
    axis. residual_grey: median |frame - ideal| on the part; strays: share of the part that is more than 40 grey levels off.
    """

    image: ImageU8
    fold: int
    found: bool
    ring: Ring
    locate: Locate
    confidence: float
    spread_px: float
    residual_grey: float
    strays: float

    def settings(self, **chosen: object) -> SymmetrySettings:
        """The recipe's `symmetry` for this ideal; chosen: pose, search, ideal, ... ConfigError if they are wrong."""
        height, width = self.image.shape[:2]
        side = max(width, height)
        fields = {
            "fold": self.fold,
            "centre": ((self.ring.centre[0] + 0.5) / width, (self.ring.centre[1] + 0.5) / height),
            "radius": self.ring.outer_px / side,
            "inner_radius": self.ring.inner_px / side,
        }
        return validate(SymmetrySettings, {**fields, **chosen}, "symmetry")


def rotational(image: ImageU8, where: Where, fold: int | None = None, *, name: str = "", progress: Progress = silent) -> Ideal:
    """The ideal of the n-fold part on a frame; uint8 HxWx3 RGB or HxW. fold: None to find it. name: for messages.

    ConfigError: no part there, not whole on the picture, no such symmetry, or a fold that is not clear.
    """
    start = _start(image, where, name)
    if start.inner_px >= start.outer_px:
        raise ConfigError(
            f"reaches only {start.outer_px:.0f} px from its middle", where=name, remedy="a smaller --inner-radius"
        )
    progress(1, 4, "part")
    ring, spread_px = start, 0.0
    for _ in range(PASSES):
        guess = fold or likely_fold(folds(spectrum(image, ring), MOST_FOLDS))
        axis = find_centre(image, ring, guess)
        if not all(0 <= place < side for place, side in zip(axis.centre, image.shape[1::-1], strict=True)):
            raise ConfigError("no axis is found", where=name, remedy="give --centre and --radius, or --part")
        ring, spread_px = Ring(axis.centre, ring.outer_px, ring.inner_px), axis.spread_px
    chosen = fold or choose_fold(folds(spectrum(image, ring), MOST_FOLDS), where=name).fold
    ring = _polished(image, ring, chosen)
    shown = spectrum(image, ring)
    progress(2, 4, "axis")
    confidence = symmetry(shown, chosen)
    if confidence < LEAST_CONFIDENCE:
        message = (
            f"the part does not repeat {chosen} times: {confidence:.2f} of its structure does, at least {LEAST_CONFIDENCE}"
        )
        raise ConfigError(message, where=name, remedy=REMEDY)
    if not ring.fits((image.shape[1], image.shape[0])):
        raise ConfigError("the part is not whole on the picture", where=name, remedy="take a frame that shows all of it")
    progress(3, 4, "fold")
    ideal = rotational_median(image, ring.centre, ring.outer_px, chosen)
    progress(4, 4, "median")
    residual, strays = _residual(image, ideal, ring)
    return Ideal(ideal, chosen, fold is None, ring, where.locate, confidence, spread_px, residual, strays)


def _polished(image: ImageU8, ring: Ring, fold: int) -> Ring:
    """The ring where the most of its structure repeats: a parabola through five places, three times, ever closer."""
    centre, step = np.array(ring.centre), max(0.5, POLISH * ring.outer_px)

    def repeats(at: NDArray[np.float64]) -> float:
        return symmetry(spectrum(image, Ring((float(at[0]), float(at[1])), ring.outer_px, ring.inner_px)), fold)

    for _ in range(POLISH_PASSES):
        here = repeats(centre)
        move = np.zeros(2)
        for axis in range(2):
            away = np.eye(2)[axis] * step
            before, after = repeats(centre - away), repeats(centre + away)
            bend = before - 2 * here + after
            move[axis] = np.clip(0.5 * (before - after) / bend, -1, 1) * step if bend < 0 else 0.0
        if repeats(centre + move) > here:
            centre = centre + move
        step /= 2
    return Ring((float(centre[0]), float(centre[1])), ring.outer_px, ring.inner_px)


def _start(image: ImageU8, where: Where, name: str) -> Ring:
    height, width = image.shape[:2]
    if where.locate == "place":
        if where.centre is None or where.radius_px is None:
            remedy = "write --centre X,Y and --radius PX, or --part dark or bright for a part on a plain background"
            raise ConfigError("says nothing of where the part is", where=name, remedy=remedy)
        return Ring(where.centre, where.radius_px, where.inner_px)
    search = Ring((width / 2, height / 2), max(width, height) / 2)
    if where.centre is not None and where.radius_px is not None:
        search = Ring(where.centre, 2 * where.radius_px)
    found = blob(image, where.locate, search, LEAST_BLOB * width * height)
    if found is None:
        remedy = "give --centre and --radius of the square to look in; nothing there may touch its edge"
        raise ConfigError(f"no {where.locate} part is found that stands free", where=name, remedy=remedy)
    return Ring(found.centre, where.radius_px or ROOM * found.outer_px, where.inner_px)


def _residual(image: ImageU8, ideal: ImageU8, ring: Ring) -> tuple[float, float]:
    rows, columns = np.indices(image.shape[:2])
    part = np.hypot(columns - ring.centre[0], rows - ring.centre[1]) <= ring.outer_px
    off = np.abs(image[part].astype(np.int16) - ideal[part])
    return float(np.median(off)), float(np.mean(off > STRAYS_GREY))
