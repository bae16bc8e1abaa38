"""The threshold cards of a recipe over its versions: history, difference, and an old version in force again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from calibration.thresholds import essentials
from calibration.trace import Signature, Trace
from edge.errors import ConfigError, LineclearError, RecipeError
from edge.recipe import RecipeFile, ThresholdCard, Trust, load_recipe, rollback, versions
from edge.recipe.reading import CARD, DOCUMENT, MAX_CARD_BYTES, current_version, version_folder
from edge.schema import load_yaml, read_json, validate

LISTS = ("scores", "frame_sha256", "histogram")
"""What a difference counts and does not spell out."""


@dataclass(frozen=True)
class Entry:
    """One version of a recipe in its history. card: None before thresholds exist.

    takes_over: the card is another than that of the version before. problem: what is wrong with the version, "" if
    nothing: it cannot be read, or its card names one before it that this recipe never had.
    """

    version: int
    in_force: bool
    who: str = ""
    when: datetime | None = None
    why: str = ""
    restored_from: int | None = None
    card: ThresholdCard | None = None
    takes_over: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Change:
    """One value that differs between two cards; None: not on that card. key: dotted, as in card.json."""

    key: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Difference:
    """What differs between the cards of two versions. common, gone, new: frames by their hash."""

    before: ThresholdCard
    after: ThresholdCard
    changes: tuple[Change, ...] = field(default_factory=tuple)
    common: int = 0
    gone: int = 0
    new: int = 0


def card_of(path: Path, version: int | None = None) -> tuple[ThresholdCard, int]:
    """The card of a version, by default of the one in force, and the version's number. The bundle is not opened.

    RecipeError: no such recipe or version, no card, or one that was changed by hand.
    """
    number = current_version(path) if version is None else version
    if number not in versions(path):
        known = ", ".join(f"{each:04d}" for each in versions(path)[-10:])
        raise RecipeError(f"has no version {number}", where=str(path), remedy=f"there are {known}")
    file = version_folder(path, number) / CARD
    if not file.exists():
        remedy = "take thresholds: lineclear-calibrate thresholds"
        raise RecipeError(f"version {number:04d} has no threshold card", where=str(path), remedy=remedy)
    try:
        return validate(ThresholdCard, read_json(file, MAX_CARD_BYTES), str(file)), number
    except ConfigError as error:
        remedy = error.remedy or "restore it from a backup, or take new thresholds"
        raise RecipeError(error.message, where=error.where, remedy=remedy) from None


def history(path: Path) -> tuple[Entry, ...]:
    """Every version of a recipe, the oldest first; a damaged one stays in the list and says so. RecipeError: no recipe."""
    in_force = current_version(path)
    entries: list[Entry] = []
    known: set[str] = set()
    last: str | None = None
    for number in versions(path):
        entry = _entry(path, number, number == in_force, known, last)
        entries.append(entry)
        if entry.card is not None:
            known.add(entry.card.sha256)
            last = entry.card.sha256
    return tuple(entries)


def diff(path: Path, before: int, after: int) -> Difference:
    """What differs between the cards of two versions. RecipeError as `card_of`."""
    one, other = card_of(path, before)[0], card_of(path, after)[0]
    old, new = _flat(one.model_dump(mode="json", by_alias=True)), _flat(other.model_dump(mode="json", by_alias=True))
    changes = tuple(
        Change(key, old.get(key), new.get(key)) for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)
    )
    ours, theirs = set(one.frame_sha256), set(other.frame_sha256)
    return Difference(one, other, changes, len(ours & theirs), len(ours - theirs), len(theirs - ours))


def restore(path: Path, version: int, signature: Signature, trace: Trace | None = None, trust: Trust | None = None) -> int:
    """Put an old version in force again, as a new version; its number. trust: see `edge.recipe.rollback`.

    Raises RecipeError and what `trace` raises, which is told before anything is written: the recipe stays as it was then.
    """
    old = load_recipe(path, version, trust=trust)
    if trust is not None:
        trust.need_signer()
    if trace is not None:
        running = current_version(path)
        before = {"version": running, **_essentials_of(path, running)}
        after = {"version": version, **essentials(old.card)}
        trace("rollback", str(path), signature.who, signature.why, before, after)
    return rollback(path, version, who=signature.who, why=signature.why, trust=trust)


def _entry(path: Path, number: int, in_force: bool, known: set[str], last: str | None) -> Entry:
    folder = version_folder(path, number)
    try:
        document = load_yaml(RecipeFile, folder / DOCUMENT)
        card = card_of(path, number)[0] if (folder / CARD).exists() else None
    except LineclearError as error:
        return Entry(number, in_force, problem=error.message)
    broken = card is not None and card.sha256 not in known and card.before != last and (card.before or "") not in known
    return Entry(
        version=number,
        in_force=in_force,
        who=document.created_by,
        when=document.created_at,
        why=document.why,
        restored_from=document.restored_from,
        card=card,
        takes_over=card is not None and card.sha256 != last,
        problem="its card names a card before it that this recipe never had" if broken else "",
    )


def _essentials_of(path: Path, version: int) -> dict[str, object]:
    """A damaged version is no reason not to leave it."""
    try:
        return essentials(card_of(path, version)[0])
    except RecipeError:
        return {}


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys; long lists by their length."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and key not in LISTS:
            flat |= _flat(value, f"{name}.")
        elif key in LISTS:
            continue
        else:
            flat[name] = value
    return flat
