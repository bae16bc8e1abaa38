"""What can be chosen of a Mahalanobis bundle, and what each project chose; no torch here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from edge.errors import ConfigError
from edge.settings.registration import ResizeKernel
from export.adapters.mahalanobis_keys import Layout, Origin

# What each project does with its embedding: which vector, brought to length 1 or not, what density, what resize.
_HABITS: dict[Origin, tuple[Literal["backbone", "head"], bool, Literal["gaussian", "kde"], ResizeKernel]] = {
    "runinho": ("backbone", True, "gaussian", "antialiased_bicubic"),
    "lilityolyan": ("head", False, "kde", "antialiased_bilinear"),
    "resnet": ("backbone", True, "gaussian", "antialiased_bilinear"),
}


@dataclass(frozen=True)
class ImageSettings:
    """None: as the checkpoint's project does it.

    embedding: the averaged deepest map, or the projection head's output. normalise: to length 1. density: of the good
    images. bandwidth: of the kernels of `kde`. block: where a masked block of the checkpoint stands: `layer4`, before the
    average, or `branch`, beside the path to the score.
    """

    size_wh: tuple[int, int] = (256, 256)
    embedding: Literal["backbone", "head"] | None = None
    normalise: bool | None = None
    density: Literal["gaussian", "kde"] | None = None
    bandwidth: float = 1.0
    block: Literal["layer4", "branch"] | None = None
    block_dilation: int = 1

    def settled(self, layout: Layout) -> ImageSettings:
        """With the project's habits where nothing was said. ConfigError: a head that is not there, a block without a place."""
        embedding, normalise, density, _ = _HABITS[layout.origin]
        if self.embedding == "head" and not layout.head:
            raise ConfigError("the checkpoint has no projection head", where="--embedding", remedy="write backbone")
        if layout.blocks and self.block is None:
            where = ", ".join(block.prefix.rstrip(".") for block in layout.blocks)
            raise ConfigError(
                f"the checkpoint has a masked block ({where}), and its file does not say where it stands",
                where="--block",
                remedy="write layer4 if the features pass through it before they are averaged, branch if it is beside them",
            )
        if not layout.blocks and self.block is not None:
            raise ConfigError("the checkpoint has no masked block", where="--block", remedy="leave it out")
        return replace(
            self,
            embedding=self.embedding or embedding,
            normalise=normalise if self.normalise is None else self.normalise,
            density=self.density or density,
        )


@dataclass(frozen=True)
class PlaceSettings:
    """PaDiM's choices.

    stages: whose maps, from 1. channels: how many of all of theirs, drawn with `seed`. epsilon: added to the covariance's
    diagonal. sigma: of the map's smoothing, in model pixels.
    """

    size_wh: tuple[int, int] = (256, 256)
    stages: tuple[int, ...] = (1, 2, 3)
    channels: int = 100
    seed: int = 1024
    epsilon: float = 0.01
    sigma: float = 4.0


def kernel_of(layout: Layout) -> ResizeKernel:
    """The resize of the checkpoint's project."""
    return _HABITS[layout.origin][3]
