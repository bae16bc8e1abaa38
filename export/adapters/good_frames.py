"""Good frames as a model will see them: registered by the station's own registration, at model size, masks filled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge import masks, registration
from edge.cameras.folder import good_images
from edge.cameras.images import read_image
from edge.cli.progress import Progress
from edge.errors import ConfigError
from edge.settings.judging import MaskPolygon
from edge.settings.registration import RegistrationSettings, ResizeKernel
from edge.types import ImageU8, MaskBool
from export.adapters.registering import GoodFrame, ModelView, rgb, too_few


@dataclass(frozen=True, eq=False)
class Prepared:
    """Good frames at model size: uint8 HxWx3 RGB, moved ones after their own. used: names of the frames, each once.
    refused: (name, why) of those that could not be registered. sha256: of the frames' files.
    """

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
    moved: int = 0,
    least: int = 5,
) -> Prepared:
    """The frames as the station would show them to the model; they are walked once, and only small ones are kept.

    reference: frames are registered to it and must have its size (None: they are resized as they are). polygons: masks of
    the reference; what lies under them guides no registration and is shown as in the reference. moved: so many times each
    registered frame is also taken as by a camera that was moved a little: what resampling and the fill at the border do to
    a good frame is then known to be good. ConfigError: masks without a reference, a frame of another size, fewer than
    `least` usable frames.
    """
    seen: list[tuple[ImageU8, GoodFrame]]
    refused: list[tuple[str, str]] = []
    if reference is None:
        if polygons:
            raise ConfigError("masks need the image they belong to", where="--masks", remedy="give --reference too")
        seen = [(registration.resize(rgb(frame.image), size_wh, kernel), frame) for frame in frames]
    else:
        reference_wh = (reference.shape[1], reference.shape[0])
        settings = register or RegistrationSettings()
        judged = ~masks.rasterise(polygons, reference_wh)
        times = 0 if settings.mode == "none" else moved
        view = ModelView(reference, settings, size_wh, kernel, judged=judged, moved=times)
        to_reference = np.asarray(np.linalg.inv(view.to_model), np.float64)
        hidden = ~masks.judged_area(polygons, reference_wh, size_wh, to_reference)
        ideal, refused = view.ideal, view.refused
        seen = [(_filled(each.image, hidden, ideal), each.frame) for each in view.show(frames)]
    names = tuple(dict.fromkeys(frame.name for _, frame in seen))
    if len(names) < least:
        raise too_few(len(names), refused, least, "30 or more")
    shas = tuple(dict.fromkeys(frame.sha256 for _, frame in seen))
    return Prepared(
        images=tuple(image for image, _ in seen),
        used=names,
        refused=tuple(refused),
        sha256=shas if all(shas) else (),
    )


def _filled(image: ImageU8, hidden: MaskBool, ideal: ImageU8) -> ImageU8:
    shown: ImageU8 = image.copy()
    shown[hidden] = ideal[hidden]
    return shown
