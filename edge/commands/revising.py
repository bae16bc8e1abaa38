"""A new version of a view's recipe, on the disk and in force, or as if nothing had been asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from edge.audit import Action
from edge.commands.band import same_frames
from edge.commands.base import Audit, Order
from edge.commands.refusals import Refused
from edge.errors import ConfigError, LineclearError, StationBusy
from edge.loop import Seating
from edge.recipe import Content, Recipe, RecipeFile, ThresholdCard, rollback, save, versions
from edge.recipe.reading import CARD, CHALLENGE, DOCUMENT, MAX_CARD_BYTES, current_version, version_folder
from edge.schema import load_yaml, read_json, validate
from edge.settings.judging import MaskPolygon

log = logging.getLogger(__name__)


class View(Protocol):
    """One view of a running station: `edge.loop.ViewSetup`."""

    @property
    def seating(self) -> Seating:
        """What judges it now."""
        ...


class Reload(Protocol):
    """`Changeover.reload`."""

    def __call__(self, *, who: str, why: str, may_block: Collection[str]) -> object:
        """What is on the disk in force, on every view or on none; those in may_block may come out unable to judge."""
        ...


@dataclass(frozen=True)
class Change:
    """What is changed of a recipe, and the entry that the audit log gets of it before it is made."""

    action: Action
    who: str
    why: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    masks: tuple[MaskPolygon, ...] | None = None
    card: ThresholdCard | None = None
    may_block: bool = False


class Revisions:
    """Changes the recipes in force. One thread uses it."""

    def __init__(self, views: Mapping[str, View], reload: Reload, audit: Audit, now: Callable[[], datetime]) -> None:
        self._views = views
        self._reload = reload
        self._audit = audit
        self.now = now

    def recipe(self, view: str) -> Recipe:
        """The recipe in force. Refused: no such view, nothing in force, or another version waits on the disk."""
        if view not in self._views:
            raise Refused("refused", f"there is no view {view!r}", remedy=f"there are {', '.join(self._views)}")
        pipeline = self._views[view].seating.pipeline
        if pipeline is None:
            raise Refused("refused", f"{view} has no recipe in force", remedy="see its reason: cmd/state")
        recipe = pipeline.recipe
        current = current_version(recipe.path)
        if current != recipe.version and not self._is_put_back(recipe, current):
            message = f"version {current:04d} of {recipe.name} was saved and is not in force, which is {recipe.version:04d}"
            raise Refused("refused", message, remedy="put it in force first: cmd/reload")
        return recipe

    def _is_put_back(self, recipe: Recipe, current: int) -> bool:
        """True if the version on the disk is the one in force, put back by `make` when another could not be used."""
        path = version_folder(recipe.path, current) / DOCUMENT
        try:
            return load_yaml(RecipeFile, path).restored_from == recipe.version
        except ConfigError as error:
            raise Refused("refused", str(error)) from None

    def why_not(self, view: str) -> str:
        """Why the view cannot judge now, "" if it can."""
        judgement = self._views[view].seating.why_not
        reason = judgement.reason if judgement is not None else None
        return f"{reason.code.value}: {reason.detail}" if reason is not None else ""

    def make(self, recipe: Recipe, change: Change, order: Order) -> int:
        """Audit, save, put in force: the new version's number. LineclearError: nothing is in force that was not before."""
        if recipe.trust is not None:
            recipe.trust.need_signer()
        subject = f"{recipe.view}: {recipe.path}"
        before = {"version": recipe.version, **change.before}
        self._audit(
            change.action, who=change.who, subject=subject, why=change.why, before=before, after={**change.after, **order.by}
        )
        number = save(recipe.path, self._content(recipe, change), trust=recipe.trust)
        try:
            self._reload(who=change.who, why=order.signed_why(change.why), may_block=self._may_be_blocked(recipe, change))
        except LineclearError as error:
            why = f"version {number:04d} could not be used"
            restored = rollback(recipe.path, recipe.version, who=change.who, why=why, trust=recipe.trust)
            after = {"version": restored, "refused": str(error)[:500], **order.by}
            self._audit(
                change.action, who=change.who, subject=subject, why="not put in force", before={"version": number}, after=after
            )
            self._settle(recipe, change)
            if isinstance(error, StationBusy):
                raise
            raise Refused("refused", f"not put in force, all is as it was: {error}") from None
        return number

    def _may_be_blocked(self, recipe: Recipe, change: Change) -> frozenset[str]:
        """Views that cannot judge now are no reason to refuse what concerns another one."""
        blocked = {view for view in self._views if self.why_not(view)}
        return frozenset(blocked | {recipe.view} if change.may_block else blocked)

    def _settle(self, recipe: Recipe, change: Change) -> None:
        """What was put back has a number of its own: put it in force too, so that disk and station agree."""
        try:
            may_block = self._may_be_blocked(recipe, change)
            self._reload(who=change.who, why="put back what was in force", may_block=may_block)
        except LineclearError as error:
            log.error("put_back_but_not_read_again view=%s why=%s", recipe.view, error)

    def _content(self, recipe: Recipe, change: Change) -> Content:
        update = {"created_by": change.who, "created_at": self.now(), "why": change.why, "restored_from": None}
        document = RecipeFile.model_validate({**recipe.document.model_dump(by_alias=True), **update})
        challenge = recipe.folder / CHALLENGE
        return Content(
            document,
            recipe.bundle,
            recipe.reference,
            recipe.masks if change.masks is None else change.masks,
            recipe.card if change.card is None else change.card,
            challenge if challenge.is_dir() else None,
        )


def calibrated(recipe: Recipe, card: ThresholdCard) -> ThresholdCard:
    """The first of the cards before this one that were taken from the same frames; `card` itself where there is none."""
    first = card
    for number in reversed(versions(recipe.path)):
        path = version_folder(recipe.path, number) / CARD
        if not path.exists():
            continue
        try:
            found = validate(ThresholdCard, read_json(path, MAX_CARD_BYTES), str(path))
        except ConfigError as error:
            log.warning("card_passed_over why=%s", error)
            continue
        if not same_frames(found, card):
            break
        first = found
    return first
