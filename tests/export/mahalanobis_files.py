"""Checkpoints of CutPaste's layouts at a tenth of their width, and good images to fit to."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from export.nets.resnet import Resnet, ResnetShape
from export.nets.sspcab import MaskedBlock

SIDE = 64
WIDTHS = (8, 8, 16, 16)
TINY = ResnetShape(8, (1, 1, 1, 1), WIDTHS, WIDTHS, bottleneck=False)


def drawn(module: nn.Module, seed: int = 0) -> nn.Module:
    """Weights that carry a signal to the end: an embedding must differ from image to image by more than float32 rounds."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point():
            continue
        if tensor.ndim > 1:
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
        elif name.endswith(("running_var", "weight")):
            tensor.uniform_(0.8, 1.25, generator=generator)
        else:
            tensor.normal_(0, 0.05, generator=generator)
    return module.eval().requires_grad_(False)


def runinho(classes: int = 3) -> dict[str, torch.Tensor]:
    """`resnet18.*`, a head of linear, norm, ReLU twice, `out.*`."""
    layers: list[nn.Module] = []
    for given, made in ((16, 16), (16, 4)):
        layers += [nn.Linear(given, made), nn.BatchNorm1d(made), nn.ReLU()]
    parts = {"resnet18": Resnet(TINY), "head": nn.Sequential(*layers), "out": nn.Linear(4, classes)}
    return _state(parts)


def lilityolyan() -> dict[str, torch.Tensor]:
    """`model.encoder.*`, a head that ends in a linear layer, `model.out.*`."""
    head = nn.Sequential(nn.Linear(16, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
    return _state({"model.encoder": Resnet(TINY), "model.head": head, "model.out": nn.Linear(4, 3)})


def screw() -> dict[str, torch.Tensor]:
    """A backbone, a masked block of its deepest map, and a branch that predicts HOG features."""
    return _state({"backbone": Resnet(TINY), "mscm": MaskedBlock(16, 2), "hog": nn.Linear(16, 36)})


def bare() -> dict[str, torch.Tensor]:
    """A ResNet's own state dict, with its classifier."""
    return {**drawn(Resnet(TINY)).state_dict(), "fc.weight": torch.zeros(10, 16), "fc.bias": torch.zeros(10)}


def saved(state: object, path: Path) -> Path:
    """As torch.save writes it."""
    torch.save(state, path)
    return path


def scene(seed: int, size_wh: tuple[int, int] = (96, 80)) -> np.ndarray:
    """A scene that is always the same, with this frame's noise: uint8 HxWx3."""
    flat = np.random.default_rng(0).uniform(40, 210, (6, 8, 3)).astype(np.float32)
    image = cv2.resize(flat, size_wh, interpolation=cv2.INTER_LINEAR)
    image += np.random.default_rng(seed).normal(0, 4, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def good_folder(folder: Path, count: int = 6) -> Path:
    """Good frames as PNG files."""
    folder.mkdir()
    for seed in range(count):
        cv2.imwrite(str(folder / f"{seed:02d}.png"), scene(seed)[..., ::-1])
    return folder


def _state(parts: dict[str, nn.Module]) -> dict[str, torch.Tensor]:
    return {
        f"{prefix}.{name}": tensor
        for place, (prefix, part) in enumerate(parts.items())
        for name, tensor in drawn(part, place).state_dict().items()
    }
