"""Good frames as the station will show them to a model: registered by its own registration, on the model's grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edge import registration
from edge.errors import ConfigError
from edge.settings.registration import RegistrationSettings, ResampleMode, ResizeKernel
from edge.types import ImageU8, MaskBool

# How far a camera may be nudged: of the width, degrees, of the scale.
MOVED_SHARE, MOVED_DEG, MOVED_SCALE = 0.02, 1.0, 0.01


@dataclass(frozen=True, eq=False)
class GoodFrame:
    """One good image: uint8 HxWx3 RGB or HxW, a name for messages, the SHA-256 of its file where it has one."""

    image: ImageU8
    name: str
    sha256: str = ""


@dataclass(frozen=True, eq=False)
class Shown:
    """What a model sees of a frame. image: uint8 HxWx3 RGB of model size. covered: where it is the frame's own pixels.
    frame: the frame without its image.
    """

    image: ImageU8
    covered: MaskBool
    frame: GoodFrame


@dataclass(eq=False)
class ModelView:
    """The reference and the grid that frames are brought onto. refused: (name, why) of frames that could not be registered.

    judged: bool HxW of the reference, True where the verdict will look (None: everywhere); the rest guides no registration.
    moved: so many times each frame is also shown as a camera that was moved a little would take it.
    """

    reference: ImageU8
    settings: RegistrationSettings
    size_wh: tuple[int, int]
    kernel: ResizeKernel
    mode: ResampleMode = "exact"
    judged: MaskBool | None = None
    moved: int = 0
    seed: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._target = registration.Reference(self.reference, self.settings, self.judged)
        self.to_model = registration.scaling(self._full_wh, self.size_wh)
        self._fill, _ = registration.register(
            self.reference, self.to_model, self.size_wh, self._full_wh, self.kernel, self.mode
        )

    @property
    def ideal(self) -> ImageU8:
        """The reference at model size, uint8 HxWx3 RGB: what is shown where a frame does not reach."""
        return rgb(self._fill)

    @property
    def _full_wh(self) -> tuple[int, int]:
        return self.reference.shape[1], self.reference.shape[0]

    def show(self, frames: Iterable[GoodFrame]) -> Iterator[Shown]:
        """Every frame that can be registered, and after it the same frame moved. ConfigError: one of another size."""
        rng = np.random.default_rng(self.seed)
        for frame in frames:
            self._check(frame)
            alignment = registration.align(frame.image, self._target)
            if not alignment.trusted:
                self.refused.append((frame.name, ", ".join(str(gate) for gate in alignment.broken)))
                continue
            yield self._shown(frame, frame.image, alignment.frame_to_reference)
            for _ in range(self.moved):
                image = moved(frame.image, rng)
                alignment = registration.align(image, self._target)
                if alignment.trusted:
                    yield self._shown(frame, image, alignment.frame_to_reference)

    def _shown(self, frame: GoodFrame, image: ImageU8, frame_to_reference: NDArray[np.float64]) -> Shown:
        matrix = self.to_model @ frame_to_reference
        seen, covered = registration.register(
            image, matrix, self.size_wh, self._full_wh, self.kernel, self.mode, fill=self._fill
        )
        return Shown(rgb(seen), covered, GoodFrame(np.empty((0, 0), np.uint8), frame.name, frame.sha256))

    def _check(self, frame: GoodFrame) -> None:
        if frame.image.shape != self.reference.shape:
            found, wanted = (
                "x".join(map(str, image.shape[1::-1])) + (" grey", " colour")[image.ndim == 3]
                for image in (frame.image, self.reference)
            )
            remedy = "give frames of one camera and one setting, or name another --reference"
            raise ConfigError(f"is {found}, the reference is {wanted}", where=frame.name, remedy=remedy)


def too_few(found: int, refused: list[tuple[str, str]], least: int, better: str) -> ConfigError:
    """The error for fewer than `least` usable frames, with why the first was refused."""
    first = f"; {refused[0][0]} could not be registered: {refused[0][1]}" if refused else ""
    return ConfigError(
        f"{found} usable good frames, {len(refused)} refused{first}",
        remedy=f"give at least {least}, better {better}, taken as the station will take them",
    )


def moved(image: ImageU8, rng: np.random.Generator) -> ImageU8:
    """The image as a camera would take it that was shifted, turned and brought nearer a little; its edge pixels repeated."""
    height, width = image.shape[:2]
    shift = rng.uniform(-MOVED_SHARE, MOVED_SHARE, 2) * width
    move = cv2.getRotationMatrix2D(
        (width / 2, height / 2), float(rng.uniform(-MOVED_DEG, MOVED_DEG)), 1 + float(rng.uniform(-MOVED_SCALE, MOVED_SCALE))
    )
    move[:, 2] += shift
    return np.asarray(cv2.warpAffine(image, move, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def rgb(image: ImageU8) -> ImageU8:
    """Three channels, whatever came."""
    return image if image.ndim == 3 else np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8)
