"""Grey as Pillow makes it, rounding included: what trainings on grey pictures have seen."""

from __future__ import annotations

import torch

# Pillow's `convert("L")`: ITU-R BT.601 in 65536ths. Sums stay below 2^24, so float32 holds them exactly.
_SHARES = (19595.0, 38470.0, 7471.0)
_WHOLE = 65536.0


def grey_levels(image: torch.Tensor) -> torch.Tensor:
    """uint8 [1, H, W, 3] RGB to whole grey levels 0..255, float32 [1, 1, H, W]."""
    summed = (image.float() * torch.tensor(_SHARES)).sum(3) + _WHOLE / 2
    return torch.floor(summed / _WHOLE).unsqueeze(1)
