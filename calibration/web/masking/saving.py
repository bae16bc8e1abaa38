"""Masks become a new version of the recipe: only from the version that was looked at, never silently over a known defect."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, Protocol

from calibration.web.masking.area import shares_of
from calibration.web.masking.candidate import grows, makes_stale, refuse_unfit, size_of
from calibration.web.masking.checking import Check
from calibration.web.masking.draft import Order, hash_of_masks
from edge.audit import Action
from edge.errors import LineclearError, RecipeError
from edge.recipe import Content, Recipe, RecipeFile, Trust, load_recipe, save
from edge.recipe.reading import CHALLENGE, DOCUMENT, current_version, version_folder
from edge.schema import load_yaml
from edge.settings.judging import MaskPolygon

MAX_TOLD: Final = 20
_NAME_CHARS: Final = 60


class Write(Protocol):
    """`AuditLog.append`."""

    def __call__(self, action: Action, *, who: str, subject: str, why: str, before: Any, after: Any) -> object:
        """Record a change before it is made; what it raises stops the change."""
        ...


class SavedMeanwhile(LineclearError):
    """Somebody else saved this recipe while it was being changed. version, who, why, at: of what is in force now."""

    def __init__(self, version: int, document: RecipeFile, where: str) -> None:
        self.version, self.who, self.why, self.at = version, document.created_by, document.why, document.created_at
        message = f"{document.created_by} saved version {version:04d} of this recipe while you were drawing"
        super().__init__(message, where=where, remedy="nothing was saved and your masks are kept: compare, then save again")


class MustConfirm(LineclearError):
    """A known bad frame would be missed, or nobody knows: who saves must say why. hidden: the frames' names."""

    def __init__(self, message: str, where: str, hidden: tuple[str, ...] = ()) -> None:
        self.hidden = hidden
        super().__init__(message, where=where, remedy="change the masks, or say why they are right all the same")


@dataclass(frozen=True)
class Saved:
    """What came of it. version: the new one. is_stale: thresholds must be taken again before the view can judge."""

    version: int
    is_stale: bool


def save_masks(
    path: Path, order: Order, who: str, *, check: Check | None, bad_frames: bool, write: Write, trust: Trust | None = None
) -> Saved:
    """Save the masks of an order as a new version of the recipe at `path`. who: the person, for history and audit log.

    check: what came of trying exactly these masks, None where they were not tried; bad_frames: whether there is any frame
    to try them on. SavedMeanwhile: another version is in force than the order started from. MustConfirm: a known defect
    would be missed, or that was not tried, and the order does not say why it is right. RecipeError: these masks cannot be
    used, or the disk refuses. AuditError: it cannot be recorded. Nothing is saved then.
    """
    if trust is not None:
        trust.need_signer()
    _refuse_older(path, order.version)
    recipe = load_recipe(path, trust=trust)
    _refuse_older(path, order.version)
    masks = order.polygons
    refuse_unfit(recipe, masks)
    _refuse_unconfirmed(recipe, order, check, bad_frames)
    subject = f"{recipe.view}: {recipe.path}"
    before, after = difference(recipe.masks, masks, size_of(recipe))
    told = _told(check, order.confirm)
    write(
        Action.MASK,
        who=who,
        subject=subject,
        why=order.why,
        before={"version": recipe.version, **before},
        after={**after, **told},
    )
    try:
        version = save(path, _content(recipe, masks, who, order.why), expected=order.version, trust=trust)
    except LineclearError as error:
        write(Action.MASK, who=who, subject=subject, why="not saved", before=None, after={"refused": str(error)[:500]})
        _refuse_older(path, order.version)  # somebody was quicker between the two looks
        raise
    return Saved(version, makes_stale(recipe, masks))


def needs_check(recipe: Recipe, order: Order, check: Check | None) -> bool:
    """True if these masks hide more than those in force, and were not tried as they are."""
    masks = order.polygons
    tried = check is not None and (check.view, check.version, check.masks) == (
        recipe.view,
        recipe.version,
        hash_of_masks(masks),
    )
    return not tried and grows(recipe, masks)


def difference(
    before: tuple[MaskPolygon, ...], after: tuple[MaskPolygon, ...], size_wh: tuple[int, int]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the audit log gets: the masks that differ, by name and hash, and what all of them take. Always small."""
    sides = []
    for masks, others in ((before, after), (after, before)):
        changed = [mask for mask in masks if mask not in others]
        share = round(shares_of(masks, size_wh).together, 6)
        told = [_shown(mask) for mask in changed[:MAX_TOLD]]
        sides.append(
            {"masks": told, "changed": len(changed), "count": len(masks), "share": share, "hash": hash_of_masks(masks)}
        )
    return sides[0], sides[1]


def _refuse_older(path: Path, started_from: int) -> None:
    now = current_version(path)
    if now != started_from:
        document = load_yaml(RecipeFile, version_folder(path, now) / DOCUMENT)
        raise SavedMeanwhile(now, document, document.view)


def _refuse_unconfirmed(recipe: Recipe, order: Order, check: Check | None, bad_frames: bool) -> None:
    if order.confirm.strip():
        return
    if bad_frames and needs_check(recipe, order, check):
        raise MustConfirm("these masks were not tried on the frames that must be found", recipe.view)
    if check is not None and check.masks == hash_of_masks(order.polygons) and check.hidden:
        named = ", ".join(_describe(frame.name, frame.masks) for frame in check.hidden[:5])
        raise MustConfirm(f"a known defect would be missed: {named}", recipe.view, tuple(f.name for f in check.hidden))


def _describe(name: str, masks: tuple[str, ...]) -> str:
    return f"{name} (under {', '.join(masks)})" if masks else name


def _told(check: Check | None, confirm: str) -> Mapping[str, Any]:
    """What the log keeps of the trial, and of the person's answer to it."""
    tried: dict[str, Any] = {"tried": None if check is None else {"frames": len(check.frames), "hidden": len(check.hidden)}}
    if check is not None and check.hidden:
        tried["hidden"] = [
            {"frame": frame.name[:100], "masks": [name[:_NAME_CHARS] for name in frame.masks[:3]], "verdict": frame.after}
            for frame in check.hidden[:10]
        ]
    return {**tried, "confirmed": confirm.strip()} if confirm.strip() else tried


def _shown(mask: MaskPolygon) -> dict[str, Any]:
    digest = hashlib.sha256(repr(mask.points).encode()).hexdigest()[:16]
    return {"name": mask.name[:_NAME_CHARS], "enabled": mask.enabled, "corners": len(mask.points), "outline": digest}


def _content(recipe: Recipe, masks: tuple[MaskPolygon, ...], who: str, why: str) -> Content:
    update = {"created_by": who, "created_at": datetime.now(timezone.utc), "why": why, "restored_from": None}
    try:
        document = RecipeFile.model_validate({**recipe.document.model_dump(by_alias=True), **update})
    except ValueError as error:
        raise RecipeError(f"cannot be written ({error})", where=recipe.view, remedy="write a shorter reason") from None
    challenge = recipe.folder / CHALLENGE
    return Content(document, recipe.bundle, recipe.reference, masks, recipe.card, challenge if challenge.is_dir() else None)
