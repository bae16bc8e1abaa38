"""Pictures to batches, crops, and the light and movement that a good frame may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import cv2
import numpy as np
import torch

from edge.types import ImageU8, MaskBool

Net = TypeVar("Net", bound=torch.nn.Module)


def batch(images: Sequence[ImageU8]) -> torch.Tensor:
    """Images uint8 HxWx3 each -> float32 N x 3 x H x W, 0 to 1."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def labels(masks: Sequence[MaskBool]) -> torch.Tensor:
    """Bool HxW each -> int64 N x H x W."""
    return torch.from_numpy(np.stack(masks)).long()


def shaken(image: ImageU8, rng: np.random.Generator, pixels: float = 0.0) -> ImageU8:
    """In other light (10 %, each colour 3 %), moved by up to so many pixels."""
    gain = rng.uniform(0.9, 1.1) * rng.uniform(0.97, 1.03, 3)
    shown = np.clip(image * gain, 0, 255).astype(np.uint8)
    if pixels:
        move = np.hstack([np.eye(2), rng.uniform(-pixels, pixels, (2, 1))])
        size = (image.shape[1], image.shape[0])
        shown = np.asarray(cv2.warpAffine(shown, move, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    return shown


def place(side: int, size_wh: tuple[int, int], rng: np.random.Generator) -> tuple[slice, slice]:
    """A square somewhere in the picture: rows, columns."""
    top, left = int(rng.integers(size_wh[1] - side + 1)), int(rng.integers(size_wh[0] - side + 1))
    return slice(top, top + side), slice(left, left + side)


def channels_last(net: Net) -> Net:
    """The network with its weights as bfloat16 convolutions want them."""
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net


def saved(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Its state dict, in the layout of a training without that."""
    return {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
