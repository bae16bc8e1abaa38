"""Frames with a known verdict for a recipe: tried on the station's own path, and stored only if they give it."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from calibration.progress import Progress, silent
from calibration.thresholds import EngineOf
from calibration.trace import Signature, Trace
from edge.cameras.folder import good_images
from edge.cameras.images import read_image
from edge.errors import ConfigError
from edge.pipeline import ViewPipeline
from edge.recipe import Content, Recipe, RecipeFile, load_recipe, save
from edge.recipe.challenge import (
    FOLDER,
    MAX_FRAMES,
    ChallengeFile,
    Expected,
    KnownFrame,
    read_challenge,
    read_frame,
    write_challenge,
)
from edge.types import Judgement, Outcome

_EXPECTED: dict[Expected, Outcome] = {kind: Outcome(kind) for kind in ("PASS", "FAIL")}


@dataclass(frozen=True, eq=False)
class Tried:
    """One frame with the verdict that it must have and the judgement that it got. name: the image file's."""

    name: str
    known: KnownFrame
    judgement: Judgement

    @property
    def as_expected(self) -> bool:
        """True if the station sees in it what the person knows to be there."""
        return self.judgement.outcome is _EXPECTED[self.known.expected]


@dataclass(frozen=True, eq=False)
class Added:
    """What was tried, and the recipe's version that holds it."""

    tried: tuple[Tried, ...]
    challenge: ChallengeFile
    version: int


def add_frames(
    recipe_path: Path,
    folders: dict[Expected, Path],
    signature: Signature,
    *,
    open_engine: EngineOf,
    camera_settings_hash: str | None = None,
    progress: Progress = silent,
    trace: Trace | None = None,
) -> Added:
    """Add the images of these folders to the recipe's challenge as a new version; folders: PASS -> good, FAIL -> bad.

    Every frame of the challenge is judged as the station would judge it, those that were there before too: ConfigError
    with a line for each that does not give its verdict, and nothing is written. Raises FrameError for an image that cannot
    be read, RecipeError, BundleError, EngineFault, and what `progress` and `trace` raise: nothing is written then.
    """
    recipe = load_recipe(recipe_path)
    frames = list(_stored(recipe))
    frames += [
        (path.name, KnownFrame(read_image(path), expected, path.name))
        for expected, folder in folders.items()
        for path in good_images(folder)
    ]
    if len(frames) > MAX_FRAMES:
        remedy = "choose a few that tell most: every clearance that is challenged judges all of them"
        raise ConfigError(f"{len(frames)} frames, at most {MAX_FRAMES}", where=str(recipe_path), remedy=remedy)
    tried = try_frames(recipe, frames, open_engine, camera_settings_hash, progress)
    wrong = tuple(_complaint(one) for one in tried if not one.as_expected)
    if wrong:
        raise ConfigError("nothing was stored", where=str(recipe_path), problems=wrong)
    known = [one.known for one in tried]
    document, version = _save(recipe, known, signature, trace)
    return Added(tried, document, version)


def remove_frames(recipe_path: Path, files: Collection[str], signature: Signature, trace: Trace | None = None) -> int:
    """A new version without these frames of the challenge; its number. ConfigError for a name that is not there."""
    recipe = load_recipe(recipe_path)
    challenge = read_challenge(recipe.folder / FOLDER)
    entries = challenge.frames if challenge is not None else ()
    names = {frame.file for frame in entries}
    unknown = sorted(set(files) - names)
    if unknown:
        remedy = f"there are {', '.join(sorted(names))}" if names else "there are none"
        raise ConfigError(f"no such frame: {', '.join(unknown)}", where=str(recipe_path), remedy=remedy)
    folder = recipe.folder / FOLDER
    kept = [KnownFrame(read_frame(folder, frame), frame.expected, frame.note) for frame in entries if frame.file not in files]
    return _save(recipe, kept, signature, trace)[1]


def try_frames(
    recipe: Recipe,
    frames: Sequence[tuple[str, KnownFrame]],
    open_engine: EngineOf,
    camera_settings_hash: str | None = None,
    progress: Progress = silent,
) -> tuple[Tried, ...]:
    """Judge each frame on the recipe's path; nothing is stored. Raises EngineFault."""
    tried = []
    with open_engine(recipe.bundle) as engine:
        pipeline = ViewPipeline(recipe, engine, camera_settings_hash)
        for done, (name, known) in enumerate(frames, 1):
            tried.append(Tried(name, known, pipeline.judge(known.image).judgement))
            progress(done, len(frames), name)
    return tuple(tried)


def describe(tried: Sequence[Tried]) -> str:
    """One line per frame: what it must give, what it gave, with its numbers."""
    return "".join(
        f"{one.name}: must be {one.known.expected}, is {one.judgement.outcome.value}{_numbers(one.judgement)}\n"
        for one in tried
    )


def _stored(recipe: Recipe) -> Iterator[tuple[str, KnownFrame]]:
    folder = recipe.folder / FOLDER
    challenge = read_challenge(folder)
    for frame in challenge.frames if challenge is not None else ():
        yield frame.file, KnownFrame(read_frame(folder, frame), frame.expected, frame.note)


def _save(recipe: Recipe, frames: Sequence[KnownFrame], signature: Signature, trace: Trace | None) -> tuple[ChallengeFile, int]:
    now = load_recipe(recipe.path).version
    if now != recipe.version:
        message = f"version {now:04d} was put in force while the frames of {recipe.version:04d} were tried"
        raise ConfigError(message, where=str(recipe.path), remedy="nothing was stored: try again")
    before = read_challenge(recipe.folder / FOLDER)
    update = {
        "created_by": signature.who,
        "created_at": datetime.now(timezone.utc),
        "why": signature.why,
        "restored_from": None,
    }
    document = RecipeFile.model_validate({**recipe.document.model_dump(by_alias=True), **update})
    with tempfile.TemporaryDirectory(prefix="lineclear-challenge-") as folder:
        challenge = write_challenge(Path(folder), frames, who=signature.who, why=signature.why)
        if trace is not None:
            trace("challenge", str(recipe.path), signature.who, signature.why, _summary(before), _summary(challenge))
        content = Content(document, recipe.bundle, recipe.reference, recipe.masks, recipe.card, Path(folder))
        return challenge, save(recipe.path, content)


def _summary(challenge: ChallengeFile | None) -> dict[str, object]:
    """What the trace of a change keeps of a challenge; empty for none."""
    return {frame.file: f"{frame.expected} {frame.sha256}" for frame in challenge.frames} if challenge is not None else {}


def _complaint(one: Tried) -> str:
    remedy = "look at the frame, or take new thresholds" if one.judgement.reason is None else "mend that first"
    return f"{one.name}: must be {one.known.expected}, is {one.judgement.outcome.value}{_numbers(one.judgement)}: {remedy}"


def _numbers(judgement: Judgement) -> str:
    reason = f" ({judgement.reason.code.value}: {judgement.reason.detail})" if judgement.reason is not None else ""
    if judgement.score is None or judgement.threshold is None:
        return reason
    return f" (score {judgement.score:.4g}, threshold {judgement.threshold:.4g}){reason}"
