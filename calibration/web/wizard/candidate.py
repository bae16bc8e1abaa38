"""The card that would be accepted, and what it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.web.wizard.bench import Bench
from calibration.web.wizard.choosing import Choice, Setup, choice_hash, choose, need_method
from calibration.web.wizard.kept import KeptMeasurement, restored
from calibration.web.wizard.measuring import measurement
from calibration.web.wizard.state import WizardState
from edge.errors import ConfigError
from edge.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Candidate:
    """recipe: what is calibrated, with the card that it has now. key: of the choice; a proof of another one is void."""

    recipe: Recipe
    choice: Choice
    key: str


def setup_of(bench: Bench, state: WizardState, kept: KeptMeasurement, headroom: float, *, pixels: bool = True) -> Setup:
    """What choices are made from. pixels: False where only the image threshold and its promise are wanted: far quicker."""
    recipe = bench.recipe(state)
    return Setup(restored(bench.measured, recipe, kept, pixels=pixels), kept.camera, headroom)


def candidate(bench: Bench, state: WizardState, headroom: float, *, pixels: bool = True) -> Candidate:
    """As the state says. ConfigError: nothing is measured, or no method is chosen. RecipeMoved."""
    bench.check(state)
    kept = measurement(bench, state)
    if kept is None:
        raise ConfigError("the frames are not measured", where=bench.view, remedy="measure them: step Thresholds")
    setup = setup_of(bench, state, kept, headroom, pixels=pixels)
    choice = choose(setup, need_method(state), state.image_threshold)
    return Candidate(setup.found.recipe, choice, choice_hash(state, kept.of))
