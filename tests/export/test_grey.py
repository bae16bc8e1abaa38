from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from export.nets.grey import grey_levels
from tests.export.networks import image_of


def test_grey_is_pillows_to_the_last_level() -> None:
    image = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    expected = np.asarray(Image.fromarray(image[0].numpy()).convert("L"))
    assert np.array_equal(grey_levels(image)[0, 0].numpy(), expected)


def test_a_grey_picture_stays_as_it_is() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(1, 16, 16, 3)
    assert np.array_equal(grey_levels(levels)[0, 0].numpy(), levels[0, :, :, 0].numpy())
    assert grey_levels(image_of((8, 4))).shape == (1, 1, 4, 8)
