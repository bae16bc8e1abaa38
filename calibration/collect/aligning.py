"""How a frame lies, as the station will see it: what is collected here must not be refused there, nor the other way round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from edge import masks, registration
from edge.parts import make_engine
from edge.pipeline import ViewPipeline, check_symmetry
from edge.recipe import Recipe
from edge.settings.engines import OnnxRuntimeSettings
from edge.types import Alignment, Gate, ImageU8, MaskBool

Align: TypeAlias = Callable[[ImageU8], Alignment]
"""A frame of the reference's size and colour -> its alignment. Raises nothing for what a frame can hold."""


def as_the_station_does(recipe: Recipe) -> Align:
    """The recipe's own path: masks, the pose of a symmetric part, and the gate on what the model would see of the frame.

    RecipeError: a symmetric part that the reference does not show.
    """
    # Only its alignment is used: the engine is named and never opened, and no card is needed.
    pipeline = ViewPipeline(replace(recipe, card=None), make_engine(OnnxRuntimeSettings(), recipe.bundle))
    area = pipeline.judged_area
    size_wh = (area.shape[1], area.shape[0])
    whole = max(1, int(np.count_nonzero(area)))

    def align(image: ImageU8) -> Alignment:
        alignment = pipeline.align(image)
        if not alignment.trusted:
            return alignment
        frame_to_map = pipeline.reference_to_map @ alignment.frame_to_reference
        seen = registration.covered(frame_to_map, pipeline.reference_size_wh, size_wh)
        share = int(np.count_nonzero(area & seen)) / whole
        gate = Gate("visible_field", share, recipe.registration.gates.min_visible, "min")
        return replace(alignment, gates=(*alignment.gates, gate))

    return align


def judged_on_reference(recipe: Recipe) -> MaskBool:
    """Bool HxW of the reference: where the verdict looks."""
    size_wh = (recipe.reference.shape[1], recipe.reference.shape[0])
    judged: MaskBool = ~masks.rasterise(recipe.masks, size_wh)
    if recipe.symmetry is not None and recipe.symmetry.pose == "free":
        judged = judged & check_symmetry(recipe.bundle, recipe.reference, recipe.symmetry, str(recipe.path)).disc(size_wh)
    return judged
