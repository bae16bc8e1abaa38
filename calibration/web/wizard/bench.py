"""What every step of a calibration works with: the view's recipe, its engine, the archive, the station."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from calibration.station import Setting
from calibration.web.wizard.desk import DRAFT, INCOMING, MEASURED, PREVIEW, Desk
from calibration.web.wizard.state import WizardState
from edge.archive import ArchiveReader
from edge.clearance.pool import FOLDER, folder_name
from edge.errors import LineclearError, RecipeError
from edge.recipe import Recipe, Trust, load_recipe
from edge.recipe.reading import current_version


class Ask(Protocol):
    """Asks the running station: `Link.ask`."""

    def __call__(
        self,
        command: str,
        body: Mapping[str, Any],
        *,
        timeout_s: float = 10,
        progress: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> Mapping[str, Any]:
        """What the station answers. LineclearError: it refuses, is busy, or is silent."""
        ...


class RecipeMoved(RecipeError):
    """Somebody put another version in force while this one was being calibrated."""


@dataclass(frozen=True, eq=False)
class Bench:
    """One view. setting: of the station's config, whose engine judges here too. labels: the frames that
    people labelled, as a set of `evaluate`. trust: see `edge.recipe.load_recipe`.
    """

    view: str
    desk: Desk
    recipe_path: Path
    setting: Setting
    archive: ArchiveReader
    state_dir: Path
    labels: Path
    ask: Ask
    trust: Trust | None = None

    @property
    def pool(self) -> Path:
        """Frames that were released by a person although they were alarmed."""
        return self.state_dir / FOLDER / folder_name(self.view)

    @property
    def incoming(self) -> Path:
        """Where uploads wait to be looked at."""
        return self.desk.folder / INCOMING

    @property
    def measured(self) -> Path:
        """What the frames gave."""
        return self.desk.folder / MEASURED

    @property
    def preview(self) -> Path:
        """The last preview, with its overlays."""
        return self.desk.folder / PREVIEW

    @property
    def labelled_good(self) -> Path:
        """Frames of which a person said that they are good."""
        return self.labels / "test" / "good"

    @property
    def labelled_bad(self) -> Path:
        """Frames of which a person said that something is on them."""
        return self.labels / "test" / "bad"

    @property
    def camera_hash(self) -> str | None:
        """Of the settings of the view's camera."""
        return self.setting.camera_hash(self.recipe_path)

    def in_force(self) -> Recipe:
        """The recipe as it is on the disk now. RecipeError, BundleError."""
        return load_recipe(self.recipe_path, view=self.view, trust=self.trust)

    def recipe(self, state: WizardState) -> Recipe:
        """The recipe that is being calibrated: the one in force, or its draft with another bundle. RecipeMoved."""
        self.check(state)
        if state.bundle is None:
            return self.in_force()
        return load_recipe(self.draft_path(state), view=self.view)

    def draft_path(self, state: WizardState) -> Path:
        """Named as the recipe: what is previewed must not pass for another recipe."""
        return self.desk.folder / DRAFT / Path(state.recipe).name

    def check(self, state: WizardState) -> None:
        """RecipeMoved unless the version that the calibration began with is still in force; nothing heavy is read."""
        if str(self.recipe_path) != state.recipe:
            raise RecipeMoved(
                f"another product is in force now: its recipe is {self.recipe_path.parent.name}/{self.recipe_path.name}",
                where=self.view,
                remedy="end this calibration, or change back to the product that it is for",
            )
        now = current_version(self.recipe_path)
        if now != state.recipe_version:
            message = f"version {now:04d} was put in force since this calibration began with {state.recipe_version:04d}"
            raise RecipeMoved(message, where=self.view, remedy="begin again: the frames that were collected can be kept")


def reason_of(error: LineclearError) -> str:
    """One line, without the path that says nothing to a person at the machine."""
    return ": ".join(part for part in (error.message, error.remedy) if part)
