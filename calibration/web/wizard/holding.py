"""Whether the thresholds in force still hold, and what changed since they were taken, as keys of the page's messages."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.web.wizard.bench import Bench, reason_of
from edge.errors import LineclearError
from edge.recipe import Recipe, ThresholdCard, stale
from edge.recipe.card import Hashes
from edge.settings.cameras import hash_of_camera

CHANGES = ("unusable", "no_card", "view", *Hashes.model_fields, "other")
"""Everything that `Holding.what` may say; the message of each is `calibrate.stale.KEY`."""


@dataclass(frozen=True)
class Holding:
    """what: why this view cannot be judged, empty if the card holds. trouble: of a recipe that cannot be read, in its words."""

    version: int | None
    what: tuple[str, ...]
    trouble: str = ""


def holding(bench: Bench) -> Holding:
    """The card on the disk against its recipe and the camera as it is set now; the engine is the station's to tell."""
    try:
        recipe = bench.in_force()
    except LineclearError as error:
        return Holding(None, ("unusable",), reason_of(error))
    if recipe.card is None:
        return Holding(recipe.version, ("no_card",))
    config = bench.setting.config
    camera = hash_of_camera(config.views[bench.view].camera) if config is not None else None
    return Holding(recipe.version, changes(recipe.card, recipe, camera))


def changes(card: ThresholdCard, recipe: Recipe, camera: str | None) -> tuple[str, ...]:
    """Which parts changed. The station's own rule says whether anything did; this names it."""
    if not stale(card, recipe, camera_settings_hash=camera):
        return ()
    running = recipe.hashes.model_copy(update={"camera": camera})
    pairs = {name: (getattr(card.hashes, name), getattr(running, name)) for name in Hashes.model_fields}
    named = [name for name, (then, now) in pairs.items() if None not in (then, now) and then != now]
    return (*(["view"] if card.view != recipe.view else []), *named) or ("other",)
