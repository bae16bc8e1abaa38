"""Would a station judge with this recipe? Asked before one has to, without opening an engine."""

from __future__ import annotations

import cv2
import numpy as np

from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import RecipeError
from edge.pipeline import ViewPipeline
from edge.recipe import Recipe
from edge.settings.engines import OnnxRuntimeSettings


def check_use(recipe: Recipe) -> None:
    """RecipeError where a station would refuse to judge with it, whatever its engine: masks that a score would not heed, a
    symmetric part that the reference does not show. A card is not asked for.
    """
    try:
        ViewPipeline(recipe, OnnxRuntimeEngine(recipe.bundle, OnnxRuntimeSettings()))
    except (ValueError, ArithmeticError, np.linalg.LinAlgError, cv2.error) as error:
        remedy = "take a new reference, and thresholds"
        raise RecipeError(f"cannot be put to work ({error})", where=str(recipe.path), remedy=remedy) from None
