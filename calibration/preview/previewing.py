"""preview: what would have been, with the new card, before it is accepted."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from calibration.preview.replaying import NotReplayableError, Replay, Told
from calibration.preview.results import Preview, Replayed, counted
from calibration.progress import Progress, silent
from edge import heatmap
from edge.archive import ArchiveError, ArchiveReader
from edge.bundle import Bundle
from edge.engines.base import Engine
from edge.errors import ConfigError, EngineFault
from edge.pipeline import ViewPipeline
from edge.recipe import Recipe, ThresholdCard

DOCUMENT = "preview.json"
MAX_OVERLAYS = 500


def candidate_of(recipe: Recipe, card: ThresholdCard) -> Recipe:
    """The recipe as it would be with this card; nothing is saved. ConfigError: the card is of another view."""
    if card.view != recipe.view:
        raise ConfigError(
            f"is of view {card.view!r}, the recipe of {recipe.view!r}", where="card", remedy="name the right card"
        )
    return replace(recipe, card=card)


def preview(
    reader: ArchiveReader,
    candidate: Recipe,
    *,
    open_engine: Callable[[Bundle], Engine],
    since: datetime | None = None,
    out: Path | None = None,
    camera_hash: str | None = None,
    progress: Progress = silent,
) -> Preview:
    """Replay every archived verdict of the candidate's view since then; `out` gets preview.json and the overlays.

    camera_hash: of the settings of the view's camera, where they are known: a card of others does not hold. out must not be
    there yet, or be empty; it appears whole or not at all, also where progress cancels. Raises ArchiveError
    (no archive), ConfigError (a card that does not hold, a folder that cannot be written), EngineFault (no engine).
    """
    entries = reader.find(view=candidate.view, kind="verdict", since=since, newest_first=False)
    with _folder(out) as folder, open_engine(candidate.bundle) as engine:
        replay = Replay(reader, candidate, ViewPipeline(candidate, engine, camera_hash))
        changes: list[Replayed] = []
        close: list[Replayed] = []
        rungs: Counter[str] = Counter()
        not_replayed: Counter[str] = Counter()
        approximate = 0
        for done, entry in enumerate(entries, 1):
            try:
                outcome = replay.replay(entry)
                replayed = outcome.replayed
                rungs[replayed.rung] += 1
                approximate += replayed.approximate
                if replayed.is_changed:
                    changes.append(_pictured(outcome, folder, len(changes)))
                if replayed.close:
                    close.append(replayed)
            except NotReplayableError as error:
                not_replayed[str(error)] += 1
            except (ArchiveError, EngineFault):
                not_replayed["its evidence cannot be read"] += 1
            progress(done, len(entries), entry.result_id)
        card = candidate.card.sha256 if candidate.card else ""
        made = Preview(
            candidate.view,
            card,
            len(entries),
            tuple(changes),
            tuple(close),
            dict(rungs),
            dict(not_replayed),
            out,
            approximate,
            counted(tuple(changes)),
        )
        if folder is not None:
            (folder / DOCUMENT).write_text(json.dumps(made.document(), indent=1, allow_nan=False) + "\n", "utf-8")
    return made


def _pictured(outcome: Told, folder: Path | None, number: int) -> Replayed:
    """With its overlay written, where there is a frame and room for it."""
    replayed = outcome.replayed
    if folder is None or outcome.picture is None or number >= MAX_OVERLAYS:
        return replayed
    try:
        image = heatmap.overlay(outcome.picture())
    except (NotReplayableError, ArchiveError, EngineFault):  # the verdict is told all the same; only its picture is missing
        return replayed
    kind = replayed.transition.replace(" -> ", "-to-").lower()
    name = f"{number + 1:04d}-{kind}.png"
    (folder / name).write_bytes(heatmap.encode(image, "png"))
    return replace(replayed, overlay=name)


@contextmanager
def _folder(out: Path | None) -> Iterator[Path | None]:
    """A folder beside `out` that takes its name when all went well, and is gone otherwise."""
    if out is None:
        yield None
        return
    remedy = "give a folder that is not there yet"
    try:
        if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
            raise ConfigError("is there already", where=str(out), remedy=remedy)
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".new-preview-", dir=out.parent))
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror})", where=str(out), remedy="check the place and its rights"
        ) from None
    try:
        made.chmod(0o755)
        yield made
        if out.exists():
            out.rmdir()
        os.rename(made, out)
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", where=str(out), remedy="check space and rights") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)
