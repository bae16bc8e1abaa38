"""CutPaste, three classes (good, patch, scar), from scratch (Li et al., 2021); saved as Runinho/pytorch-cutpaste saves it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.upstream.training import synthetic
from benchmarks.upstream.training.clock import Clock
from benchmarks.upstream.training.frames import flat, good_frames
from benchmarks.upstream.training.tensors import batch, channels_last, saved, shaken
from edge.types import ImageU8
from export.nets.resnet import Resnet, ResnetShape

WIDTH, BATCH = 32, 6
STAGES = (WIDTH, 2 * WIDTH, 4 * WIDTH, 8 * WIDTH)
SHAPE = ResnetShape(WIDTH, (2, 2, 2, 2), STAGES, STAGES, bottleneck=False)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Projection(nn.Module):
    """`resnet18.*`, `head.*` (twice linear, batch norm, ReLU), `out`: the keys of head_layer 1."""

    def __init__(self) -> None:
        super().__init__()
        wide = 8 * WIDTH
        self.resnet18 = Resnet(SHAPE)
        layers: list[nn.Module] = []
        for given, made in ((wide, wide), (wide, 128)):
            layers += [nn.Linear(given, made), nn.BatchNorm1d(made), nn.ReLU()]
        self.head = nn.Sequential(*layers)
        self.out = nn.Linear(128, 3)

    def forward(self, x: Tensor) -> Tensor:
        """N x 3 x H x W -> N x 3 logits."""
        result: Tensor = self.out(self.head(self.resnet18(x)[-1].mean((2, 3))))
        return result


def train(name: str, out: Path, minutes: float, size_wh: tuple[int, int] = (256, 256), seed: int = 0) -> list[Path]:
    """Train and save `model-<set>.tch`."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    images = flat(good_frames(name, size_wh, "antialiased_bicubic"))
    net = channels_last(Projection())
    parameters = list(net.parameters())
    clock = Clock(minutes, torch.optim.SGD(parameters, 0.03, momentum=0.9, weight_decay=3e-5), f"mahalanobis {name}")
    target = torch.arange(3).repeat_interleave(BATCH)
    for _ in clock:
        good = [shaken(images[int(rng.integers(len(images)))], rng) for _ in range(BATCH)]
        ways = [good, [synthetic.cut_paste(each, rng)[0] for each in good], [synthetic.scar(each, rng)[0] for each in good]]
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(_tensor([image for way in ways for image in way])).float()
        clock.step(parameters, functional.cross_entropy(logits, target))
    path = out / f"model-{name}.tch"
    torch.save(saved(net), path)
    return [path]


def _tensor(images: list[ImageU8]) -> Tensor:
    shown = (batch(images) - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    return shown.contiguous(memory_format=torch.channels_last)
