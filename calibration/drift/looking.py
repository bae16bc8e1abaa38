"""What a picture itself says of light and focus, beside the recipe's reference."""

from __future__ import annotations

from dataclasses import replace

from calibration.collect.condition import Yardstick
from calibration.drift.readings import Reading
from edge import masks
from edge.recipe import Recipe
from edge.types import Homography, ImageU8


def yardstick_of(recipe: Recipe) -> Yardstick:
    """What the recipe's frames are compared with."""
    return Yardstick(recipe.reference, ~masks.rasterise(recipe.masks, size_of(recipe)))


def with_condition(reading: Reading, image: ImageU8, matrix: Homography, yardstick: Yardstick) -> Reading:
    """The same with what the picture itself says."""
    found = yardstick.measure(image, matrix)
    return replace(reading, sharpness=found.sharpness, brightness=found.brightness, contrast=found.contrast)


def size_of(recipe: Recipe) -> tuple[int, int]:
    """Width and height of the reference, pixels."""
    return recipe.reference.shape[1], recipe.reference.shape[0]
