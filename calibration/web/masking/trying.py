"""A trial of masks on all that is known to be bad, with the station's own engine."""

from __future__ import annotations

from calibration.progress import Progress
from calibration.web.history.labels.store import Labels
from calibration.web.masking.candidate import refuse_unfit
from calibration.web.masking.checking import Check, check_masks
from calibration.web.masking.known_bad import frames_of
from edge.config import StationConfig
from edge.parts import make_engine
from edge.recipe import Recipe
from edge.settings.cameras import hash_of_camera
from edge.settings.judging import MaskPolygon


def try_masks(
    config: StationConfig, recipe: Recipe, labels: Labels, masks: tuple[MaskPolygon, ...], progress: Progress
) -> Check:
    """Judge every known bad frame with these masks; long work. config: with the cameras as they are set now.

    RecipeError: the masks cannot be used. EngineFault, LabelError, and what `progress` raises.
    """
    refuse_unfit(recipe, masks)
    frames, unusable = frames_of(recipe, labels)
    camera = hash_of_camera(config.views[recipe.view].camera)
    return check_masks(recipe, masks, frames, lambda bundle: make_engine(config.engine, bundle), camera, progress, unusable)
