"""Networks filled with numbers from a seed, and checkpoints of them as a training would save them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from export.checkpoint import Checkpoint

# Two test processes share two cores.
torch.set_num_threads(1)
KEYS = Path(__file__).parent / "keys"


def keys_of(name: str, part: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of an upstream checkpoint: `keys/NAME.json` has them by part."""
    stored = json.loads((KEYS / f"{name}.json").read_text())[part]
    return {key: tuple(shape) for key, shape in stored.items()}


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """Every weight and statistic drawn so that values neither vanish nor explode on their way through."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point():
            tensor.zero_()
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.ndim > 1:
            tensor.normal_(0, tensor[0].numel() ** -0.5, generator=generator)
        else:
            tensor.normal_(0, 0.1, generator=generator)
    return module.eval().requires_grad_(False)


def checkpoint_of(module: nn.Module, path: str = "network.pt") -> Checkpoint:
    """The module's state dict as it would be read from a file."""
    return Checkpoint(Path(path), {name: tensor.clone() for name, tensor in module.state_dict().items()})


def image_of(size_wh: tuple[int, int], seed: int = 0) -> torch.Tensor:
    """uint8 [1, H, W, 3]: soft blobs with a little noise."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 6, generator=generator) * 255
    soft = nn.functional.interpolate(coarse, size_wh[::-1], mode="bilinear", align_corners=False)
    noisy = soft + torch.randn(soft.shape, generator=generator) * 4
    return noisy.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
