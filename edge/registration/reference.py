"""What is prepared once of a reference image, so that aligning a frame is cheap."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.registration.similarity import LONG_SIDE, Likeness, flatten
from edge.settings.registration import RegistrationSettings
from edge.types import Homography, ImageU8, MaskBool

WORK_SIDE = 1280  # px; tracking to 0.03 px here is 0.1 px of a 3072 px reference
COARSE_SIDE = 480  # px; large motions are found here
MIN_SIDE = 32  # px; nothing can be tracked in less
CORNER_BLOCK = 7
CORNER_MARGIN_PX = 8  # half a tracking window: what is not judged must not be in the window either
CORNER_FLOOR = 0.002  # of the 99th percentile of the corner strength
GRID = 10  # cells along the longer side over which corners are spread
COARSE_POINTS = 100
ORB_POINTS = 1000
ORB_STUDY_POINTS = 5000
LOCAL_BOX = (15, 15)  # px at a quarter of the work size
CONTRAST, NOISE_GREY = 40.0, 8.0  # grey levels


def grey(image: ImageU8) -> ImageU8:
    """uint8 HxW of uint8 HxWx3 RGB or HxW."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8) if image.ndim == 3 else image


def reduce(image: ImageU8, factor: int) -> ImageU8:
    """Mean over factor x factor blocks; rows and columns that do not fill a block are left out."""
    if factor == 1:
        return image
    height, width = image.shape[0] // factor, image.shape[1] // factor
    whole = image[: height * factor, : width * factor]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def enlarge(factor: int) -> Homography:
    """Pixels of `reduce(image, factor)` to pixels of the image."""
    return np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]], float)


def equalise(image: ImageU8) -> ImageU8:
    """Local contrast equalised: mean 128 and deviation about CONTRAST everywhere that there is more than noise.

    Dull metal then has corners too. CLAHE does the same by tiles that stay where they are while the scene moves under
    them; measured here it costs ten times the error (docs/registration.md). Mean and gain vary slowly, so they are
    computed on a quarter of the size.
    """
    size_wh = image.shape[1::-1]
    small = cv2.resize(image, (max(1, size_wh[0] // 4), max(1, size_wh[1] // 4)), interpolation=cv2.INTER_AREA)
    mean = cv2.boxFilter(small, cv2.CV_32F, LOCAL_BOX)
    power = cv2.sqrBoxFilter(small, cv2.CV_32F, LOCAL_BOX)
    gain = CONTRAST / (cv2.sqrt(np.maximum(power - mean * mean, 0)) + NOISE_GREY)
    offset = cv2.resize(128 - mean * gain, size_wh, interpolation=cv2.INTER_LINEAR)
    gain = cv2.resize(gain, size_wh, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.add(cv2.multiply(image, gain, dtype=cv2.CV_32F), offset, dtype=cv2.CV_8U), np.uint8)


class Prepared:
    """One image at the scales the registration works at: `work` (equalised), `coarse` (equalised), `detail` (flattened).

    The factors are the reference's, so that pixels of frame and reference mean the same length.
    """

    def __init__(self, image: ImageU8, factors: Factors) -> None:
        plain = reduce(grey(image), factors.work)
        self.work = equalise(plain)
        self.coarse = reduce(self.work, factors.coarse)
        self.detail = flatten(reduce(plain, factors.detail))


class Factors:
    """Integer reductions: full -> work, work -> coarse, work -> detail."""

    def __init__(self, size_wh: tuple[int, int]) -> None:
        side = max(size_wh)
        self.work = max(1, math.ceil(side / WORK_SIDE))
        self.coarse = max(1, math.ceil(side / self.work / COARSE_SIDE))
        self.detail = max(1, math.ceil(side / self.work / LONG_SIDE))


class Reference:
    """The view's image to which frames are aligned, with everything that can be computed before the first frame.

    image: uint8 HxWx3 RGB or HxW. judged: bool HxW, True where the verdict looks and features may live (None: all).
    Never changed after construction: threads may share it. `corner_count` says how much there is to track.
    """

    def __init__(self, image: ImageU8, settings: RegistrationSettings, judged: MaskBool | None = None) -> None:
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
            raise ValueError(f"the reference must be uint8 HxW or HxWx3 RGB, got {image.dtype} {image.shape}")
        if judged is not None and judged.shape != image.shape[:2]:
            raise ValueError(f"the judged mask {judged.shape} must have the reference's size {image.shape[:2]}")
        self.settings = settings
        self.size_wh = (image.shape[1], image.shape[0])
        self.factors = Factors(self.size_wh)
        self.usable = min(self.size_wh) >= MIN_SIDE * self.factors.work
        kept = np.ones(image.shape[:2], np.uint8) if judged is None else judged.astype(np.uint8)
        if self.usable:
            self._prepare(image, kept)

    def _prepare(self, image: ImageU8, judged: ImageU8) -> None:
        factors = self.factors
        self.prepared = Prepared(image, factors)
        work = _shrunk_mask(judged, self.prepared.work.shape)
        self.corners = spread_corners(self.prepared.work, work, self.settings.points)
        coarse_mask = _shrunk_mask(judged, self.prepared.coarse.shape)
        self.coarse_corners = spread_corners(self.prepared.coarse, coarse_mask, COARSE_POINTS)
        detail_mask = _shrunk_mask(judged, self.prepared.detail.shape)
        self.likeness = Likeness(self.prepared.detail, detail_mask.astype(bool))
        orb = cv2.ORB.create(ORB_POINTS)
        self.orb_keys, self.orb_words = features(orb, self.prepared.coarse, coarse_mask)
        if self.settings.mode == "orb":
            study = cv2.ORB.create(ORB_STUDY_POINTS)
            self.study_keys, self.study_words = features(study, grey(image), judged)
        for owner in (self, self.prepared, self.likeness):
            for value in vars(owner).values():
                if isinstance(value, np.ndarray):
                    value.flags.writeable = False

    @property
    def corner_count(self) -> int:
        """How many corners there are to track; 0 for an image that has none or is too small."""
        return len(self.corners) if self.usable else 0

    @property
    def side_px(self) -> int:
        """The longer side, the unit of the gates' lengths."""
        return int(max(self.size_wh))


def features(orb: cv2.ORB, image: ImageU8, mask: ImageU8 | None) -> tuple[NDArray[np.float64], ImageU8]:
    """ORB positions float64 Nx2 and descriptors uint8 Nx32 (Rublee et al. 2011); empty where there are none."""
    keys, words = orb.detectAndCompute(image, mask)
    if words is None:
        return np.zeros((0, 2)), np.zeros((0, 32), np.uint8)
    return np.array([key.pt for key in keys], np.float64), words


def _shrunk_mask(mask: ImageU8, shape: tuple[int, ...]) -> ImageU8:
    """1 where the whole of a reduced pixel is judged."""
    small = cv2.resize(mask * 255, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(small >= 254, np.uint8)


def spread_corners(image: ImageU8, judged: ImageU8, points: int) -> NDArray[np.float32]:
    """The strongest corners (Shi and Tomasi 1994) of every grid cell, float32 Nx2, about `points` in all.

    A quota per cell keeps one richly textured place from starving the rest, so that no single object holds the majority.
    """
    strength = cv2.cornerMinEigenVal(image, CORNER_BLOCK)
    size = 2 * CORNER_MARGIN_PX + 1
    inner = cv2.erode(judged, np.ones((size, size), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    floor = CORNER_FLOOR * float(np.percentile(strength, 99))
    peak = (strength >= cv2.dilate(strength, np.ones((9, 9), np.uint8))) & (strength > floor) & (inner > 0)
    rows, columns = np.nonzero(peak)
    cell = max(image.shape) / GRID
    cell_of = (rows // cell).astype(np.intp) * GRID + (columns // cell).astype(np.intp)
    order = np.lexsort((columns, rows, -strength[rows, columns], cell_of))
    sorted_cells = cell_of[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_cells, sorted_cells)
    chosen = order[np.argsort(rank, kind="stable")][:points]
    return np.column_stack([columns[chosen], rows[chosen]]).astype(np.float32)
