"""One view whose masks are drawn: its recipe, and what is known to be bad on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calibration.progress import Progress
from calibration.web.history.labels.store import Labels
from calibration.web.masking.checking import Check
from calibration.web.masking.known_bad import count_of
from calibration.web.masking.trying import try_masks
from edge.cameras.adjustments import in_force
from edge.config import StationConfig
from edge.recipe import Recipe, Trust, load_recipe
from edge.settings.judging import MaskPolygon


@dataclass(frozen=True)
class Studio:
    """path: of the view's recipe. Everything may raise LineclearError."""

    view: str
    path: Path
    config: StationConfig
    labels: Labels

    @property
    def trust(self) -> Trust | None:
        """What proves the station's recipes, None where it asks for no signatures."""
        return Trust.of(self.config.trust)

    def recipe(self, version: int | None = None) -> Recipe:
        """The version in force, or another one. RecipeError, BundleError."""
        return load_recipe(self.path, version, view=self.view, trust=self.trust)

    def bad_frames(self, version: int | None = None) -> int:
        """How many known bad frames there are to try masks on."""
        return count_of(self.recipe(version), self.labels)

    def check(self, version: int, masks: tuple[MaskPolygon, ...], progress: Progress) -> Check:
        """Try masks on every known bad frame. Long work."""
        return try_masks(in_force(self.config), self.recipe(version), self.labels, masks, progress)
