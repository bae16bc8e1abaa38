"""DRAEM, an eighth and a quarter as wide as published, on crops; saved as VitjanZ/DRAEM saves it.

Losses as in the paper: squared error and SSIM for the reconstruction, focal loss (Lin et al., 2017) for the segmentation.
Where the processor has it, bfloat16 halves the time; losses and weights are float32.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.upstream.training import synthetic
from benchmarks.upstream.training.clock import Clock
from benchmarks.upstream.training.frames import flat, good_frames, textures
from benchmarks.upstream.training.tensors import batch, channels_last, labels, place, saved, shaken
from edge.types import MaskBool
from export.nets.draem import Discriminative, Reconstructive
from export.nets.islands import ssim_map

WIDTH, SEGMENTING, SIDE, BATCH = 16, 16, 128, 8
FOCUS = 2.0


def train(name: str, out: Path, minutes: float, size_wh: tuple[int, int] = (256, 256), seed: int = 0) -> list[Path]:
    """Train and save `DRAEM_<set>_.pckl` and `DRAEM_<set>__seg.pckl`."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    images, sources = flat(good_frames(name, size_wh, "cv2_linear")), textures(size_wh)
    reconstructive, discriminative = channels_last(Reconstructive(WIDTH)), channels_last(Discriminative(SEGMENTING))
    parameters = [*reconstructive.parameters(), *discriminative.parameters()]
    clock = Clock(minutes, torch.optim.Adam(parameters, 1e-3), f"draem {name}")
    for _ in clock:
        clean, spoilt, truth = [], [], []
        for _ in range(BATCH):
            image = shaken(images[int(rng.integers(len(images)))], rng)
            shown, mask = image, np.zeros(image.shape[:2], bool)
            if rng.random() < 0.75:
                shown, mask = synthetic.any_of(image, sources, rng)
            at = _place(mask, size_wh, rng)
            clean.append(image[at][..., ::-1])
            spoilt.append(shown[at][..., ::-1])
            truth.append(mask[at])
        wanted, given = (batch(each).contiguous(memory_format=torch.channels_last) for each in (clean, spoilt))
        with torch.autocast("cpu", torch.bfloat16):
            painted = reconstructive(given).float()
            logits = discriminative(torch.cat([painted, given], 1)).float()
        restored = functional.mse_loss(painted, wanted) + (1 - ssim_map(painted, wanted).mean())
        clock.step(parameters, restored, _focal(logits, labels(truth)))
    first, second = out / f"DRAEM_{name}_.pckl", out / f"DRAEM_{name}__seg.pckl"
    for net, path in ((reconstructive, first), (discriminative, second)):
        torch.save(saved(net), path)
    return [first, second]


def _place(mask: MaskBool, size_wh: tuple[int, int], rng: np.random.Generator) -> tuple[slice, slice]:
    """A crop that shows some of the anomaly, where there is one and a few tries find it."""
    at = place(SIDE, size_wh, rng)
    for _ in range(20):
        if not mask.any() or mask[at].any():
            break
        at = place(SIDE, size_wh, rng)
    return at


def _focal(logits: Tensor, truth: Tensor) -> Tensor:
    each = functional.cross_entropy(logits, truth, reduction="none")
    return ((1 - torch.exp(-each)) ** FOCUS * each).mean()
