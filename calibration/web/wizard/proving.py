"""What a choice of thresholds would have done to the archive, and whether it finds what is known to be there."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from calibration.challenge import Tried as Judged
from calibration.challenge import try_frames
from calibration.preview import candidate_of, preview
from calibration.progress import Progress
from calibration.web.wizard.bench import Bench
from calibration.web.wizard.candidate import Candidate
from calibration.web.wizard.state import Proof, Tried
from edge.errors import ConfigError
from edge.recipe import Recipe
from edge.recipe.challenge import FOLDER, KnownFrame, read_challenge, read_frame
from edge.schema import read_json
from edge.types import ImageU8

DOCUMENT = "preview.json"
MAX_DOCUMENT_BYTES = 200_000_000


def replay(bench: Bench, made: Candidate, days: float, progress: Progress) -> Proof:
    """Judge the archive of the last days again with the candidate's card; overlays of what changes go beside preview.json.

    Raises ArchiveError (no archive), ConfigError, EngineFault.
    """
    out = bench.preview
    shutil.rmtree(out, ignore_errors=True)
    now = bench.desk.now()
    preview(
        bench.archive,
        candidate_of(made.recipe, made.choice.card),
        open_engine=bench.setting.open_engine,
        since=now - timedelta(days=days),
        out=out,
        camera_hash=bench.camera_hash,
        progress=progress,
    )
    return Proof(choice=made.key, made_at=now)


def replayed(bench: Bench) -> dict[str, Any] | None:
    """`preview.json` of the last one; None before there is one. ConfigError: damaged."""
    path = bench.preview / DOCUMENT
    if not path.is_file():
        return None
    found = read_json(path, MAX_DOCUMENT_BYTES)
    if not isinstance(found, dict) or not isinstance(found.get("changes"), list):
        raise ConfigError("is no preview", where=str(path), remedy="make the preview again")
    return found


def overlay_of(bench: Bench, number: int) -> Path | None:
    """The picture of the number-th verdict that changes; None where there is none."""
    found = replayed(bench)
    changes = found["changes"] if found is not None else []
    if not 0 <= number < len(changes):
        return None
    name = Path(str(changes[number].get("overlay") or "")).name
    path = bench.preview / name
    return path if name.endswith(".png") and path.is_file() else None


def challenge(bench: Bench, made: Candidate, progress: Progress) -> Proof:
    """Judge every known frame of the recipe with the candidate's card. ConfigError: it has none. RecipeError, EngineFault."""
    frames = known_frames(made.recipe)
    if not frames:
        raise ConfigError("has no challenge frames", where=bench.view, remedy="add some: known good and known bad ones")
    tried = try_frames(
        replace(made.recipe, card=made.choice.card), frames, bench.setting.open_engine, bench.camera_hash, progress
    )
    return Proof(choice=made.key, made_at=bench.desk.now(), frames=tuple(map(_tried, tried)))


def known_frames(recipe: Recipe) -> list[tuple[str, KnownFrame]]:
    """The challenge of a recipe, each frame by its name. RecipeError: it cannot be read."""
    folder = recipe.folder / FOLDER
    document = read_challenge(folder)
    entries = document.frames if document is not None else ()
    return [(each.file, KnownFrame(read_frame(folder, each), each.expected, each.note)) for each in entries]


def known_names(recipe: Recipe) -> tuple[tuple[str, str, str], ...]:
    """Name, expected verdict and note of each frame of the challenge. RecipeError: it cannot be read."""
    document = read_challenge(recipe.folder / FOLDER)
    return tuple((each.file, each.expected, each.note) for each in document.frames) if document is not None else ()


def known_frame(recipe: Recipe, name: str) -> ImageU8 | None:
    """One frame of the challenge; None where there is none of that name."""
    document = read_challenge(recipe.folder / FOLDER)
    entries = document.frames if document is not None else ()
    found = next((each for each in entries if each.file == name), None)
    return read_frame(recipe.folder / FOLDER, found) if found is not None else None


def _tried(one: Judged) -> Tried:
    judgement = one.judgement
    return Tried(
        name=one.name,
        expected=one.known.expected,
        outcome=judgement.outcome.value,
        reason=judgement.reason.detail[:500] if judgement.reason is not None else "",
        score=judgement.score,
        threshold=judgement.threshold,
    )
