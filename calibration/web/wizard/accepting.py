"""Accepting: the card goes into the recipe as a new version, and the station is asked to judge with it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from calibration.progress import Progress
from calibration.thresholds import essentials, save_card
from calibration.trace import Signature, Trace
from calibration.web.wizard.bench import Bench, RecipeMoved, reason_of
from calibration.web.wizard.choosing import Choice, signed
from calibration.web.wizard.state import Finished, WizardState
from edge.errors import Cancelled, LineclearError
from edge.recipe import Content, Recipe, RecipeFile, ThresholdCard, save
from edge.recipe.challenge import FOLDER, read_challenge

__all__ = ["Finished", "Quiet", "accept", "obstacles", "put_in_force", "readiness"]

RELOAD_S: Final = 120.0
ASK_S: Final = 10.0


def obstacles(state: WizardState, recipe: Recipe, key: str) -> tuple[str, ...]:
    """What stands between the choice with this key and its acceptance: last parts of the keys of the page's messages.

    Where the recipe has challenge frames, they must have been judged with this very choice, and no defect missed.
    """
    known = read_challenge(recipe.folder / FOLDER)
    found = []
    if state.method is None:
        found.append("no_method")
    if not state.masks_seen:
        found.append("no_masks")
    proof = state.challenge if state.challenge is not None and state.challenge.choice == key else None
    if known is not None and known.frames and proof is None:
        found.append("no_challenge")
    if proof is not None and proof.missed:
        found.append("missed")
    return tuple(found)


def accept(
    bench: Bench, state: WizardState, choice: Choice, signature: Signature, trace: Trace | None, progress: Progress
) -> Finished:
    """Save, and ask the station to reload. It is saved once this returns; `reloaded` says whether it is in force.

    Raises RecipeMoved (another version came into force), RecipeError, ConfigError (no key to sign with, a full disk), and what
    `trace` raises: nothing was saved then.
    """
    progress(0, 3, "")
    bench.check(state)
    card = signed(choice.card, signature, bench.desk.now())
    recipe = bench.recipe(state)
    version = _save(bench, state, recipe, card, trace)
    finished = Finished(
        view=bench.view, person=signature.who, why=signature.why, at=card.when, version=version, card=card.sha256
    )
    bench.desk.finish(finished)
    finished = put_in_force(bench, finished, Quiet(progress))
    bench.desk.note(finished)
    return finished


def put_in_force(bench: Bench, finished: Finished, progress: Progress) -> Finished:
    """Ask the station to judge with what was saved; what came of it. Raises nothing: it is saved, whatever the station says."""
    progress(1, 3, "")
    try:
        bench.ask("state", {}, timeout_s=ASK_S)  # a station that is not there is noticed before minutes are waited for it
        bench.ask("reload", {"who": finished.person, "why": finished.why}, timeout_s=RELOAD_S)
    except LineclearError as error:
        return finished.model_copy(update={"reloaded": False, "trouble": reason_of(error)[:2000]})
    progress(2, 3, "")
    return readiness(bench, finished.model_copy(update={"reloaded": True, "trouble": ""}))


def readiness(bench: Bench, finished: Finished) -> Finished:
    """With what the station says of the view now."""
    try:
        state = bench.ask("state", {}, timeout_s=ASK_S)
    except LineclearError as error:
        return finished.model_copy(update={"ready": None, "not_ready": reason_of(error)[:2000]})
    view = _view_in(state, bench.view)
    if view is None:
        return finished
    return finished.model_copy(update={"ready": bool(view.get("ready")), "not_ready": str(view.get("reason") or "")[:2000]})


class Quiet:
    """Progress that can no longer be stopped: what is saved is saved."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """As Progress, without Cancelled."""
        with suppress(Cancelled):
            self._progress(done, total, what)


def _save(bench: Bench, state: WizardState, recipe: Recipe, card: ThresholdCard, trace: Trace | None) -> int:
    if state.bundle is None:
        return save_card(recipe, card, trace)
    current = bench.in_force()
    if current.version != state.recipe_version:
        raise RecipeMoved(f"version {current.version:04d} was put in force meanwhile", where=bench.view, remedy="begin again")
    # The draft has no card before it; the history of the recipe has.
    before = current.card.sha256 if current.card is not None else None
    fields = card.model_dump(by_alias=True, exclude={"sha256"})
    sealed = ThresholdCard.sealed(**{**fields, "before": before})
    if bench.trust is not None:
        bench.trust.need_signer()
    if trace is not None:
        then, now = {"bundle": current.bundle.name}, {"bundle": recipe.bundle.name}
        trace("thresholds", str(current.path), card.who, card.why, {**then, **essentials(current.card)},
              {**now, **essentials(sealed)})  # fmt: skip
    update = {"created_by": card.who, "created_at": card.when, "why": card.why, "restored_from": None}
    document = RecipeFile.model_validate({**recipe.document.model_dump(by_alias=True), **update})
    challenge = recipe.folder / FOLDER
    kept = challenge if challenge.is_dir() else None
    content = Content(document, recipe.bundle, recipe.reference, recipe.masks, sealed, kept)
    return save(current.path, content, expected=current.version, trust=bench.trust)


def _view_in(state: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    views = state.get("views")
    known = views if isinstance(views, list | tuple) else ()
    return next((view for view in known if isinstance(view, Mapping) and view.get("view") == name), None)
