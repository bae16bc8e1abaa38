"""A reference from many good frames: the best single one, or the median of all that register."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.progress import Progress, silent
from edge import registration
from edge.cameras.images import read_image
from edge.errors import ConfigError, FrameError
from edge.settings.registration import RegistrationSettings
from edge.symmetry import pixel_median
from edge.types import Homography, ImageU8, MaskBool

LEAST_FRAMES = 3
SMALL_SIDE_PX = 480
WINDOWS = 32  # along the longer side: what lies on a frame is looked for in pieces of this size
MAX_STACK_BYTES = 1_500_000_000
OUTLIER_SPREADS = 3.0
STRONGEST = 0.05  # of the pixels: edges, not noise
LEAST_SHARPNESS = 0.7  # of the frame that the others were registered to


@dataclass(frozen=True)
class Refused:
    """A frame that took no part, and why."""

    name: str
    why: str


@dataclass(frozen=True, eq=False)
class Chosen:
    """The best frame and why it was chosen; used: the frames that were compared."""

    path: Path
    image: ImageU8
    why: str
    used: tuple[Path, ...]
    refused: tuple[Refused, ...]


@dataclass(frozen=True, eq=False)
class Median:
    """The median of registered frames, in the pose of `seed`. sharpness: of its edges, as a share of the seed's."""

    image: ImageU8
    seed: Path
    sharpness: float
    used: tuple[Path, ...]
    refused: tuple[Refused, ...]


@dataclass(frozen=True, eq=False)
class _Candidate:
    path: Path
    sharpness: float
    corners: NDArray[np.float64]
    small: ImageU8
    covered: MaskBool


def best_frame(paths: Sequence[Path], settings: RegistrationSettings, progress: Progress = silent) -> Chosen:
    """The sharpest of the frames that lie nearest to the middle pose and show nothing that the others do not.

    All are registered to the one in the middle of the list; where most of them do not register to it, something is wrong with
    that one, and others are tried. A frame is left out if it differs from the median of all by more than three spreads beyond
    what is typical: something lies on it. ConfigError: fewer than 3 that register, all of them different pictures.
    """
    tried: list[tuple[list[_Candidate], list[Refused]]] = []
    for number, seed in enumerate(_seeds(paths)):
        tried.append(_registered(paths, seed, settings, progress if number == 0 else silent))
        if len(tried[-1][0]) > len(paths) / 2:
            break
    if not tried:
        raise ConfigError(f"none of {len(paths)} images can be read", remedy="write or copy the files again")
    candidates, refused = max(tried, key=lambda pair: len(pair[0]))
    _check_count(len(candidates), refused)
    best, why = _pick(candidates)
    return Chosen(best, read_image(best), why, tuple(each.path for each in candidates), tuple(refused))


def _seeds(paths: Sequence[Path]) -> Iterator[ImageU8]:
    """Frames to register the others to: of the middle, the first and the third quarter, or the next that can be read."""
    count = len(paths)
    for start in dict.fromkeys((count // 2, count // 4, 3 * count // 4)):
        for path in (*paths[start:], *paths[:start]):
            with suppress(FrameError):
                yield read_image(path)
                break


def _registered(
    paths: Sequence[Path], seed: ImageU8, settings: RegistrationSettings, progress: Progress
) -> tuple[list[_Candidate], list[Refused]]:
    """Those of the frames that register to the seed, each picture once, and those that do not."""
    reference = registration.Reference(seed, settings)
    candidates: list[_Candidate] = []
    refused: list[Refused] = []
    seen: dict[bytes, str] = {}
    for done, path in enumerate(paths):
        try:
            image = read_image(path)
            twin = seen.setdefault(hashlib.sha256(image.tobytes()).digest(), path.name)
            if twin != path.name:
                raise FrameError(f"is the same picture as {twin}")
            candidates.append(_candidate(path, image, _aligned(image, seed, reference), reference.size_wh))
        except FrameError as error:
            refused.append(Refused(path.name, error.message))
        progress(done + 1, len(paths), path.name)
    return candidates, refused


def _pick(candidates: Sequence[_Candidate]) -> tuple[Path, str]:
    """The best of them, and why."""
    middle = np.median([each.corners for each in candidates], axis=0)
    ideal = pixel_median([each.small for each in candidates]).astype(np.int16)
    off = [float(np.sqrt(((each.corners - middle) ** 2).sum(1).mean())) for each in candidates]
    differs = [_difference(each, ideal) for each in candidates]
    typical = float(np.median(differs))
    spread = max(1.4826 * float(np.median(np.abs(np.array(differs) - typical))), 0.05 * typical)
    clean = [index for index in range(len(off)) if differs[index] <= typical + OUTLIER_SPREADS * spread]
    near = sorted(clean, key=lambda index: off[index])[: (len(clean) + 1) // 2]
    best = max(near, key=lambda index: candidates[index].sharpness)
    order = sorted((each.sharpness for each in candidates), reverse=True)
    unlike = len(candidates) - len(clean)
    why = (
        f"{off[best]:.2f} px from the middle pose (median {float(np.median(off)):.2f}), sharpness rank "
        f"{order.index(candidates[best].sharpness) + 1} of {len(order)}, at most {differs[best]:.1f} grey levels off "
        f"the median picture (typical {typical:.1f}; {unlike} left out as unlike)"
    )
    return candidates[best].path, why


def median_frame(paths: Sequence[Path], settings: RegistrationSettings, progress: Progress = silent) -> Median:
    """The pixel median of all frames that register to the best one; what a frame does not show is taken from that one.

    ConfigError: fewer than 3 that register, or a median whose edges are soft: then the frames do not show one scene.
    """
    total = 2 * len(paths)
    chosen = best_frame(paths, settings, lambda done, _, what="": progress(done, total, what))
    seed = chosen.image
    reference = registration.Reference(seed, settings)
    most = max(LEAST_FRAMES, MAX_STACK_BYTES // seed.nbytes)
    refused = {each.name: each.why for each in chosen.refused}
    stack, used = [], []
    for done, path in enumerate(_spread(chosen.used, most)):
        try:
            image = read_image(path)
            matrix = _aligned(image, seed, reference)
            stack.append(registration.warp(image, matrix, reference.size_wh, seed)[0])
            used.append(path)
        except FrameError as error:
            refused[path.name] = error.message
        progress(min(total, len(paths) + done + 1), total, path.name)
    _check_count(len(stack), [Refused(name, why) for name, why in refused.items()])
    image = pixel_median(stack)
    share = sharpness(image) / max(1e-6, sharpness(seed))
    if share < LEAST_SHARPNESS:
        message = f"the median is soft: {share:.2f} of the edge contrast of {chosen.path.name}, at least {LEAST_SHARPNESS}"
        remedy = "take frames of one scene, mask nothing that moves into it, or use --method frame"
        raise ConfigError(message, remedy=remedy)
    progress(total, total, "median")
    return Median(image, chosen.path, share, tuple(used), tuple(Refused(*item) for item in refused.items()))


def sharpness(image: ImageU8) -> float:
    """RMS gradient of the strongest twentieth of the pixels, after a blur that noise does not survive; grey levels/px."""
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    soft = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0)
    energy = cv2.Sobel(soft, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(soft, cv2.CV_32F, 0, 1) ** 2
    count = max(1, int(STRONGEST * energy.size))
    return float(np.sqrt(np.partition(energy.ravel(), -count)[-count:].mean()) / 8)


def _aligned(image: ImageU8, seed: ImageU8, reference: registration.Reference) -> Homography:
    """The homography to the reference, or FrameError saying which gate broke."""
    if image.shape != seed.shape:
        raise FrameError("is of another size or colour than the others")
    alignment = registration.align(image, reference)
    if not alignment.trusted:
        raise FrameError(f"does not register ({'; '.join(map(str, alignment.broken))})")
    return alignment.frame_to_reference


def _candidate(path: Path, image: ImageU8, matrix: Homography, size_wh: tuple[int, int]) -> _Candidate:
    width, height = size_wh
    frame = np.array([[0, 0, 1], [width - 1, 0, 1], [width - 1, height - 1, 1], [0, height - 1, 1]], np.float64)
    mapped = frame @ matrix.T
    scale = min(1.0, SMALL_SIDE_PX / max(size_wh))
    small_wh = max(1, round(width * scale)), max(1, round(height * scale))
    to_small = registration.scaling(size_wh, small_wh) @ matrix
    small, covered = registration.register(image, to_small, small_wh, size_wh, "cv2_area", "fused")
    return _Candidate(path, sharpness(image), mapped[:, :2] / mapped[:, 2:], small, covered)


def _difference(candidate: _Candidate, ideal: NDArray[np.int16]) -> float:
    """The highest mean difference in a window: what lies on a frame, however small it is in the whole."""
    off = np.abs(candidate.small - ideal).astype(np.float32)
    grey = off if off.ndim == 2 else off.mean(2)
    side = max(3, max(grey.shape) // WINDOWS)
    return float(cv2.blur(grey * candidate.covered, (side, side)).max())


def _check_count(count: int, refused: Sequence[Refused]) -> None:
    if count < LEAST_FRAMES:
        first = f"; {refused[0].name}: {refused[0].why}" if refused else ""
        raise ConfigError(
            f"{count} frames register, {len(refused)} are refused{first}",
            remedy=f"give at least {LEAST_FRAMES} good frames of one view, better 15",
        )


def _spread(paths: Sequence[Path], most: int) -> Iterator[Path]:
    """At most so many, evenly over all."""
    step = max(1, -(-len(paths) // most))
    yield from paths[::step]
