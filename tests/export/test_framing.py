from __future__ import annotations

import numpy as np
import pytest
import torch

from export.nets.framing import framed, placed


@pytest.mark.parametrize(("frame", "mode"), [("zeros", "constant"), ("reflect", "reflect"), ("symmetric", "symmetric")])
def test_a_frame_is_numpys(frame: str, mode: str) -> None:
    planes = torch.rand(1, 2, 7, 9, generator=torch.Generator().manual_seed(1))
    wide = framed(planes, 3, frame)  # type: ignore[arg-type]
    assert np.array_equal(wide.numpy(), np.pad(planes.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)), mode=mode))  # type: ignore[call-overload]


def test_a_picture_is_placed_within_zeros() -> None:
    placed_one = placed(torch.ones(1, 1, 2, 3), left=1, right=0, top=4, bottom=2)
    assert placed_one.shape == (1, 1, 8, 4)
    assert placed_one.sum() == 6
    assert placed_one[0, 0, 4:6, 1:].sum() == 6
