"""How far an engine may be from the float32 model, per family, and why. docs/parity.md says the same in words.

The golden vectors are held to the bundle's own limits (`manifest.limits`), in the model's units. What counts on the line is
held to these: they are in units of the recipe, so that one table does for scores of 0.01 and of 10 000.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

__all__ = ["DEFAULT", "FAMILIES", "ParityLimits", "limits_of"]


@dataclass(frozen=True)
class ParityLimits:
    """margin: |difference of the score| over |threshold - float32 score|, at the worst frame; 1 would turn a verdict. spread:
    the same difference over the standard deviation of the good frames' scores. pixels: share of the judged pixels that are
    on the other side of the pixel threshold. map_mean, map_p999, map_max: |difference of the smoothed map| over the height
    of the pixel threshold above the good pixels' median. half_share: least share of float16 nodes in the ONNX file, and
    half_kept of the float16 layers that a built engine kept. why: what these rest on.
    """

    margin: float = 0.5
    spread: float = 0.25
    pixels: float = 0.002
    map_mean: float = 0.02
    map_p999: float = 0.1
    map_max: float = 0.25
    half_share: float = 0.02
    half_kept: float = 0.9
    why: str = (
        "a score may use up half of its distance to the threshold and a quarter of what good frames differ by among "
        "themselves: what float16 adds must be small beside what the camera adds"
    )


DEFAULT: Final = ParityLimits()
_STEEP: Final = (
    "a softmax turns a small difference of its inputs into a large one at the edges of what it finds, so single pixels may "
    "jump where a few do; the score, a mean over many, may not"
)
FAMILIES: Final = {
    "draem": replace(DEFAULT, map_p999=0.25, map_max=1.0, pixels=0.005, why=_STEEP),
    "bit": replace(DEFAULT, map_p999=0.25, map_max=1.0, pixels=0.005, why=_STEEP),
    "change_onnx": replace(DEFAULT, map_p999=0.25, map_max=1.0, pixels=0.005, why=_STEEP),
    "ddad": replace(
        DEFAULT,
        spread=0.5,
        map_mean=0.05,
        map_p999=0.25,
        map_max=0.5,
        why="ten steps feed each other, so that what float16 leaves out at the first is in all that follow",
    ),
    "mahalanobis": replace(
        DEFAULT, half_share=0.0, why="the distance is float32 and most of its nodes are: the share of nodes says nothing here"
    ),
    "variation": replace(
        DEFAULT,
        map_max=0.5,
        half_share=0.0,
        why="float16 keeps 11 bits of a grey level between 0 and 255: up to an eighth of a level, over the pixel's own spread, "
        "which is what the smallest spread (the floor) limits; it multiplies nothing, so no share of half layers is asked",
    ),
    "comparison": replace(
        DEFAULT, half_share=0.0, why="differences of grey levels, as the variation model; it multiplies nothing"
    ),
    "capsule": replace(DEFAULT, half_share=0.0, why="most nodes are float32 on purpose (routing): no share is asked"),
}
FAMILIES["ddads"] = FAMILIES["ddad"]


def limits_of(family: str) -> ParityLimits:
    """The family's limits, else the default."""
    return FAMILIES.get(family, DEFAULT)
