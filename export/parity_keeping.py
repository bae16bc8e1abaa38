"""A parity report into its recipe, as a new version, with an entry in the station's audit log."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

from edge.audit import Action, AuditLog
from edge.config import StationConfig
from edge.errors import RecipeError
from edge.recipe import Content, ParityReport, Recipe, RecipeFile, load_recipe, save
from edge.recipe.parity import replaced
from edge.schema import Closed

__all__ = ["Signature", "keep"]


class Signature(Closed):
    """Who keeps a report, and why; both go into the recipe's history."""

    who: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


def keep(
    recipe: Recipe, report: ParityReport, signature: Signature, config: StationConfig | None = None
) -> tuple[int, ParityReport]:
    """Save the recipe with this report as a new version and put it in force; its number, and the report as it was kept.

    Comparisons of other engines that the report before it has of this bundle stay in it. config: the station's, whose audit
    log is told before anything is written; what it raises stops it. RecipeError: another version was put in force meanwhile.
    """
    now = load_recipe(recipe.path)
    if now.version != recipe.version:
        message = f"version {now.version:04d} was put in force while engines were compared on {recipe.version:04d}"
        raise RecipeError(message, where=str(recipe.path), remedy="nothing was saved: compare again")
    whole = _whole(report, recipe, signature)
    if config is not None:
        log = AuditLog(config.audit.folder(Path(config.state_dir)), config.audit)
        detail = {"change": "parity", **_essentials(whole)}
        before = _essentials(recipe.parity)
        log.append(Action.RECIPE, who=signature.who, subject=str(recipe.path), why=signature.why, before=before, after=detail)
    update = {"created_by": signature.who, "created_at": whole.when, "why": signature.why, "restored_from": None}
    document = RecipeFile.model_validate({**recipe.document.model_dump(by_alias=True), **update})
    challenge = recipe.folder / "challenge"
    kept = challenge if challenge.is_dir() else None
    content = Content(document, recipe.bundle, recipe.reference, recipe.masks, recipe.card, kept, whole)
    return save(recipe.path, content, expected=recipe.version), whole


def _whole(report: ParityReport, recipe: Recipe, signature: Signature) -> ParityReport:
    fields = report.model_dump(by_alias=True, exclude={"sha256", "comparisons"})
    fields |= {"who": signature.who, "why": signature.why, "when": datetime.now(timezone.utc)}
    return ParityReport.sealed(**fields, comparisons=replaced(report, recipe.parity))


def _essentials(report: ParityReport | None) -> dict[str, object]:
    """What the trace of a change keeps of a report; empty for none."""
    if report is None:
        return {}
    engines = {str(each.candidate): "equal" if each.passed else each.why[:300] for each in report.comparisons}
    return {"parity": report.sha256, "bundle": report.bundle, "engines": engines}
