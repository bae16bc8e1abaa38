"""What a training may see: the good frames that build the variation model in `benchmarks.sweep`, and foreign textures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks import leftovers, sweep_cases
from edge import registration
from edge.cameras.images import read_image
from edge.settings.registration import ResizeKernel
from edge.types import ImageU8

SETS = ("leftovers", "hazelnut")
TEXTURES = ("piped/PA_GLA01_TL/NoDefects", "piped/PA_FVN01_TL/NoDefects", "gear/roboflow_original/train", "dobot_cubes/normal")
"""None of them is an object that `compose_leftovers` puts on a view (hazelnut_toy, PA_BRG01_RL, PA_BDP01_TL)."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Good frames of one view at model size, uint8 HxWx3 RGB. reference: the first, which the recipe keeps."""

    view: str
    images: tuple[ImageU8, ...]
    paths: tuple[Path, ...]

    @property
    def reference(self) -> ImageU8:
        """The recipe's reference at model size."""
        return self.images[0]


def good_frames(name: str, size_wh: tuple[int, int], kernel: ResizeKernel) -> list[Frames]:
    """The frames that build the model, view by view; never those that set thresholds or are judged."""
    cases = sweep_cases.leftover_cases() if name == "leftovers" else sweep_cases.hazelnut_cases()
    return [
        Frames(case.name, tuple(registration.resize(read_image(path), size_wh, kernel) for path in case.build), case.build)
        for case in cases
    ]


def textures(size_wh: tuple[int, int], most: int = 40) -> list[ImageU8]:
    """Photographs of other things at model size, `most` of each folder."""
    found: list[ImageU8] = []
    for folder in TEXTURES:
        paths = [
            path for path in sorted((leftovers.DATA / folder).iterdir()) if path.suffix.lower() in (".jpg", ".png", ".bmp")
        ]
        for path in paths[:most]:
            image = np.asarray(cv2.cvtColor(np.asarray(cv2.imread(str(path))), cv2.COLOR_BGR2RGB), np.uint8)
            found.append(np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8))
    return found


def flat(views: Sequence[Frames]) -> list[ImageU8]:
    """All frames of all views."""
    return [image for view in views for image in view.images]
