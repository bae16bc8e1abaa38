"""Collecting good frames into a calibration's album, from whatever source, with what is refused and why."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from calibration.collect import (
    Collected,
    CollectionFile,
    Enough,
    FolderSource,
    Refusal,
    Source,
    Wanted,
    collect,
    enough,
    read_album,
)
from calibration.collect.album import DOCUMENT, Album
from calibration.progress import Progress
from calibration.web.wizard.bench import Bench
from calibration.web.wizard.sources import ArchiveSource, SnapshotSource, Wait, passed, pooled
from calibration.web.wizard.state import WizardState
from edge.errors import ConfigError
from edge.recipe import Recipe

Told = Callable[[Refusal], None]

MOST_FRAMES: Final = 500
SLICE_S: Final = 0.2
_NOTHING: Final = "take them from the camera, or upload pictures"


@dataclass(frozen=True)
class Tally:
    """How a collection stands. frames: what the album holds, refused: the last refusals, newest first."""

    frames: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    refused_count: int = 0

    @property
    def enough(self) -> Enough:
        """What so many frames can promise."""
        return enough(len(self.frames))


def album_of(folder: Path) -> CollectionFile | None:
    """The document of the good frames; None before there are any. ConfigError: damaged."""
    return read_album(folder) if (folder / DOCUMENT).is_file() else None


def tally(folder: Path) -> Tally:
    """What is there now, also while it grows. ConfigError: damaged."""
    document = album_of(folder)
    if document is None:
        return Tally()
    names = tuple(frame.file for frame in document.frames)
    return Tally(names, tuple(reversed(document.refused[-60:])), document.refused_count)


def answered_for(bench: Bench) -> int:
    """How many frames there are that a person released or labelled good."""
    return len(pooled(bench.pool)) + len(pooled(bench.labelled_good))


def can_keep(folder: Path, recipe: Recipe, camera_hash: str | None) -> int:
    """How many frames of the calibration before can be used again: of this reference, with these settings; else 0."""
    try:
        document = album_of(folder)
    except ConfigError:
        return 0
    if document is None or document.reference != recipe.document.reference_sha256 or document.recipe != recipe.name:
        return 0
    known = {frame.camera_settings_hash for frame in document.frames} - {None}
    return len(document.frames) if known <= {camera_hash} else 0


def from_station(bench: Bench, state: WizardState, count: int, every_s: float, progress: Progress, told: Told) -> Collected:
    """Fresh frames of the running station. Raises DeviceError, ConfigError, and what asking the station raises."""
    report = Unhurried(progress)
    source = SnapshotSource(bench.view, bench.ask, bench.archive, bench.camera_hash, every_s, report.wait)
    return _collect(bench, state, source, report, told, more=count)


def from_archive(bench: Bench, state: WizardState, days: float, progress: Progress, told: Told) -> Collected:
    """Frames that passed in the last days. ConfigError: there are none. ArchiveError: no archive."""
    since = bench.desk.now() - timedelta(days=days)
    entries = passed(bench.archive.find(view=bench.view, kind="verdict", since=since, newest_first=False))
    if not entries:
        raise ConfigError(f"keeps no frame that passed in {days:g} days", where="the archive", remedy=_NOTHING)
    return _collect(bench, state, ArchiveSource(bench.archive, entries), progress, told)


def from_people(bench: Bench, state: WizardState, progress: Progress, told: Told) -> Collected:
    """Frames that a person answers for: released although they were alarmed, or labelled good. ConfigError: there are none."""
    folders = {name: path for name, path in (("released", bench.pool), ("labelled", bench.labelled_good)) if pooled(path)}
    if not folders:
        message = f"there are no frames of {bench.view} that were released or labelled good"
        raise ConfigError(message, where="the archive", remedy=_NOTHING)
    collected: Collected | None = None
    for name, path in folders.items():
        source = FolderSource(path)
        source.name = name
        collected = _collect(bench, state, source, progress, told)
    assert collected is not None  # noqa: S101 - for the type checker
    return collected


def from_upload(bench: Bench, state: WizardState, folder: Path, progress: Progress, told: Told) -> Collected:
    """Pictures that somebody uploaded into a folder of `incoming`, which is gone afterwards, whatever came of it."""
    try:
        source = FolderSource(folder)
        source.name = "uploaded"
        return _collect(bench, state, source, progress, told)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_frame(bench: Bench, state: WizardState, file: str) -> None:
    """Take one frame out of the album. ConfigError: there is no such frame, or somebody is collecting just now."""
    wanted = _wanted(bench, state, None)
    document = album_of(bench.desk.good)
    if document is None or file not in {frame.file for frame in document.frames}:
        raise ConfigError("there is no such frame", where=bench.view, remedy="look at the list again")
    start = document.model_copy(update={"settings": wanted.settings})
    with Album(bench.desk.good, start) as album:
        album.remove(file)


class Unhurried:
    """A progress that can wait between two steps, and notices while it waits that the work was stopped."""

    def __init__(self, progress: Progress, pause: Wait | None = None) -> None:
        """pause: waits for so long without looking, at most SLICE_S at a time."""
        never = threading.Event()
        self._progress = progress
        self._pause: Wait = pause or (lambda seconds: _ignored(never.wait(seconds)))
        self._last = (0, 0, "")

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """As Progress."""
        self._last = (done, total, what)
        self._progress(done, total, what)

    def wait(self, seconds: float) -> None:
        """Cancelled, if the work was stopped."""
        left = seconds
        while left > 0:
            self._progress(*self._last)
            self._pause(min(left, SLICE_S))
            left -= SLICE_S
        self._progress(*self._last)


def _ignored(_answer: bool) -> None:
    """What it waits for never happens."""


def _collect(
    bench: Bench, state: WizardState, source: Source, progress: Progress, told: Told, *, more: int | None = None
) -> Collected:
    there = len(tally(bench.desk.good).frames)
    if there >= MOST_FRAMES:
        remedy = "go on with these, or take some out"
        raise ConfigError(f"{there} frames are there already, at most {MOST_FRAMES}", where=bench.view, remedy=remedy)
    count = None if more is None else min(there + more, MOST_FRAMES)
    bench.desk.folder.mkdir(parents=True, exist_ok=True)
    return collect(source, bench.desk.good, _wanted(bench, state, count), progress, told)


def _wanted(bench: Bench, state: WizardState, count: int | None) -> Wanted:
    # Frames are held against the reference in force: a draft differs from it in nothing but the bundle, and an album is of
    # one recipe by name and reference.
    return Wanted(view=bench.view, who=state.person, count=count, recipe=bench.recipe(state))
