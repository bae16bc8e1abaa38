"""Recipe, reload, threshold and mask: commands that change what the station judges with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from edge.audit import Action
from edge.commands.band import Wanted, check_card, image_band, pixel_band, with_thresholds
from edge.commands.base import Done, Handler, Handlers, Order, Outcome
from edge.commands.orders import MaskCommand, RecipeCommand, ReloadCommand, ThresholdCommand
from edge.commands.refusals import Refused
from edge.commands.results import MaskSet, Selected, ThresholdSet
from edge.commands.revising import Change, Revisions, calibrated
from edge.errors import ConfigError
from edge.recipe import Recipe, ThresholdCard, stale
from edge.schema import validate


class InForce(Protocol):
    """What a changeover gave: `edge.changeover.Selected`."""

    @property
    def product(self) -> str:
        """The product."""
        ...

    @property
    def recipes(self) -> Mapping[str, str]:
        """View -> `name version`."""
        ...

    @property
    def changed(self) -> bool:
        """True if it was not in force before."""
        ...


class Select(Protocol):
    """`Changeover.select`."""

    def __call__(self, product: str, *, who: str, why: str) -> InForce:
        """The recipes of a product on every view, or on none."""
        ...


class Again(Protocol):
    """`Changeover.reload`."""

    def __call__(self, *, who: str, why: str) -> InForce:
        """The recipes of the product in force, read again."""
        ...


@dataclass(frozen=True, eq=False)
class Selecting:
    """The station's changeover, which records who and why before it changes anything. Each may take minutes, or raise
    LineclearError, and then nothing has changed.
    """

    select: Select
    reload: Again


def selecting_handlers(selecting: Selecting) -> Handlers:
    """The commands that choose among the recipes that are there."""
    chosen = _Chosen(selecting)
    return {"recipe": Handler(chosen.recipe, "long"), "reload": Handler(chosen.reload, "long")}


def revising_handlers(revisions: Revisions, headroom: float) -> Handlers:
    """The commands that write a new version of a recipe. headroom: see CommandSettings.threshold_headroom."""
    changed = _Changed(revisions, headroom)
    return {"threshold": Handler(changed.threshold, "long"), "mask": Handler(changed.mask, "long")}


@dataclass(frozen=True, eq=False)
class _Chosen:
    selecting: Selecting

    def recipe(self, order: Order) -> Outcome:
        command = order.as_(RecipeCommand)
        return _selected(self.selecting.select(command.product, who=command.who, why=order.signed_why(command.why)))

    def reload(self, order: Order) -> Outcome:
        command = order.as_(ReloadCommand)
        return _selected(self.selecting.reload(who=command.who, why=order.signed_why(command.why)))


@dataclass(frozen=True, eq=False)
class _Changed:
    revisions: Revisions
    headroom: float

    def threshold(self, order: Order) -> Outcome:
        command = order.as_(ThresholdCommand)
        recipe = self.revisions.recipe(command.view)
        card = self._whole_card(command, recipe) if command.card is not None else self._moved(command, recipe)
        change = Change(Action.THRESHOLD, command.who, command.why, _shown(recipe.card), _shown(card), card=card)
        version = self.revisions.make(recipe, change, order)
        first = calibrated(recipe, card)
        return Done(
            ThresholdSet(
                view=command.view,
                recipe_version=version,
                image_threshold=card.image_threshold,
                pixel_threshold=card.pixel_threshold,
                image_band=image_band(card, first, self.headroom),
                pixel_band=pixel_band(card, first, self.headroom),
            )
        )

    def mask(self, order: Order) -> Outcome:
        command = order.as_(MaskCommand)
        recipe = self.revisions.recipe(command.view)
        known = {mask.name: mask for mask in recipe.masks}
        if command.mask not in known:
            names = ", ".join(known) or "none"
            raise Refused("refused", f"{command.view} has no mask {command.mask!r}", remedy=f"there are {names}")
        version = recipe.version
        if known[command.mask].enabled != command.enabled:
            masks = tuple(
                mask.model_copy(update={"enabled": command.enabled}) if mask.name == command.mask else mask
                for mask in recipe.masks
            )
            before, after = ({"mask": command.mask, "enabled": enabled} for enabled in (not command.enabled, command.enabled))
            change = Change(Action.MASK, command.who, command.why, before, after, masks=masks, may_block=True)
            version = self.revisions.make(recipe, change, order)
        undecided = self.revisions.why_not(command.view)
        remedy = f"take new thresholds, or switch {command.mask!r} back" if undecided.startswith("card_stale") else ""
        return Done(
            MaskSet(
                view=command.view,
                mask=command.mask,
                enabled=command.enabled,
                recipe_version=version,
                undecided=undecided,
                remedy=remedy,
            )
        )

    def _moved(self, command: ThresholdCommand, recipe: Recipe) -> ThresholdCard:
        if recipe.card is None:
            raise Refused("refused", f"{command.view} has no card yet", remedy="take thresholds: lineclear-calibrate")
        wanted = Wanted(command.image_threshold, command.pixel_threshold, command.who, self.revisions.now(), command.why)
        return with_thresholds(recipe.card, calibrated(recipe, recipe.card), wanted, self.headroom)

    def _whole_card(self, command: ThresholdCommand, recipe: Recipe) -> ThresholdCard:
        try:
            card = validate(ThresholdCard, command.card, "card")
        except ConfigError as error:
            raise Refused("refused", error.message, problems=error.problems) from None
        check_card(card, recipe.card, self.headroom)
        if (card.pixel_threshold is not None) != recipe.bundle.manifest.has_map:
            message = "a card has a pixel threshold exactly where the view's bundle gives a map"
            raise Refused("refused", message, remedy="take the card with this recipe: lineclear-calibrate thresholds")
        unfit = stale(card, recipe, camera_settings_hash=recipe.card.hashes.camera if recipe.card is not None else None)
        if unfit:
            raise Refused("refused", "the card is not for this recipe: " + "; ".join(unfit), problems=unfit)
        return card


def _selected(after: InForce) -> Done:
    return Done(Selected(product=after.product, recipes=dict(after.recipes), changed=after.changed))


def _shown(card: ThresholdCard | None) -> dict[str, object]:
    if card is None:
        return {"card": None}
    return {"card": card.sha256, "image_threshold": card.image_threshold, "pixel_threshold": card.pixel_threshold}
