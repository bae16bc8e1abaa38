"""Good frames as a model will see them: registered by the station's own registration, at model size, masks filled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge import masks, registration
from edge.cameras.folder import good_images
from edge.cameras.images import read_image
from edge.cli.progress import Progress
from edge.errors import ConfigError
from edge.settings.judging import MaskPolygon
from edge.settings.registration import RegistrationSettings, ResizeKernel
from edge.types import ImageU8
from export.adapters.variation import GoodFrame


@dataclass(frozen=True, eq=False)
class Prepared:
    """Good frames at model size: uint8 HxWx3 RGB. refused: (name, why) of those that could not be registered."""

    images: tuple[ImageU8, ...]
    used: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    sha256: tuple[str, ...]


def frames_in(folder: Path, quiet: bool = False) -> Iterator[GoodFrame]:
    """The images of a folder, one after the other, with the hashes of their files. Raises ConfigError, FrameError."""
    for path in Progress("read", good_images(folder), quiet=quiet):
        yield GoodFrame(read_image(path), path.name, hashlib.sha256(path.read_bytes()).hexdigest())


def prepare(
    frames: Iterable[GoodFrame],
    size_wh: tuple[int, int],
    kernel: ResizeKernel,
    *,
    reference: ImageU8 | None = None,
    register: RegistrationSettings | None = None,
    polygons: Sequence[MaskPolygon] = (),
    least: int = 5,
) -> Prepared:
    """The frames as the station would show them to the model; they are walked once, and only small ones are kept.

    reference: frames are registered to it and must have its size (None: they are resized as they are). polygons: masks of
    the reference; what lies under them guides no registration and is shown as in the reference. ConfigError: masks without
    a reference, a frame of another size, fewer than `least` usable frames.
    """
    if reference is None:
        if polygons:
            raise ConfigError("masks need the image they belong to", where="--masks", remedy="give --reference too")
        seen = [(registration.resize(_rgb(frame.image), size_wh, kernel), frame) for frame in frames]
        refused: list[tuple[str, str]] = []
    else:
        seen, refused = _registered(frames, size_wh, kernel, reference, register or RegistrationSettings(), polygons)
    if len(seen) < least:
        first = f"; {refused[0][0]} could not be registered: {refused[0][1]}" if refused else ""
        raise ConfigError(
            f"{len(seen)} usable good frames, {len(refused)} refused{first}",
            remedy=f"give at least {least}, better 30 or more, taken as the station will take them",
        )
    shas = tuple(frame.sha256 for _, frame in seen)
    return Prepared(
        images=tuple(image for image, _ in seen),
        used=tuple(frame.name for _, frame in seen),
        refused=tuple(refused),
        sha256=shas if all(shas) else (),
    )


def _registered(
    frames: Iterable[GoodFrame],
    size_wh: tuple[int, int],
    kernel: ResizeKernel,
    reference: ImageU8,
    register: RegistrationSettings,
    polygons: Sequence[MaskPolygon],
) -> tuple[list[tuple[ImageU8, GoodFrame]], list[tuple[str, str]]]:
    reference_wh = (reference.shape[1], reference.shape[0])
    to_model = registration.scaling(reference_wh, size_wh)
    target = registration.Reference(reference, register, ~masks.rasterise(polygons, reference_wh))
    hidden = ~masks.judged_area(polygons, reference_wh, size_wh, np.asarray(np.linalg.inv(to_model), np.float64))
    ideal, _ = registration.register(reference, to_model, size_wh, reference_wh, kernel)
    seen: list[tuple[ImageU8, GoodFrame]] = []
    refused: list[tuple[str, str]] = []
    for frame in frames:
        if frame.image.shape != reference.shape:
            found, wanted = ("x".join(map(str, image.shape[1::-1])) for image in (frame.image, reference))
            kind = " (one is grey, the other colour)" if frame.image.ndim != reference.ndim else ""
            remedy = "give frames of one camera and one setting, or name another --reference"
            raise ConfigError(f"is {found}, the reference is {wanted}{kind}", where=frame.name, remedy=remedy)
        alignment = registration.align(frame.image, target)
        if not alignment.trusted:
            refused.append((frame.name, ", ".join(str(gate) for gate in alignment.broken)))
            continue
        matrix = to_model @ alignment.frame_to_reference
        image, _ = registration.register(frame.image, matrix, size_wh, reference_wh, kernel, fill=ideal)
        image[hidden] = ideal[hidden]
        seen.append((_rgb(image), GoodFrame(np.empty((0, 0), np.uint8), frame.name, frame.sha256)))
    return seen, refused


def _rgb(image: ImageU8) -> ImageU8:
    return image if image.ndim == 3 else np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8)
