"""collect: candidates in, good frames in a folder out, each refusal with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from calibration.collect.album import Album
from calibration.collect.aligning import as_the_station_does, judged_on_reference
from calibration.collect.enough import Enough, enough
from calibration.collect.inspecting import Inspected, Inspector, distance_of, refusal
from calibration.collect.records import CheckValue, CollectionFile, Refusal, StoredFrame
from calibration.collect.settings import CollectSettings
from calibration.collect.sources import Shot, Source, Unreadable
from calibration.progress import Progress, silent
from edge.errors import ConfigError
from edge.recipe import Recipe
from edge.settings.registration import RegistrationSettings
from edge.types import Alignment, ImageU8


@dataclass(frozen=True)
class Wanted:
    """What is to be collected: count frames in all (None: whatever the source has), for which view, by whom.

    recipe: frames are held against its reference and masks; without one the first good frame is the provisional reference.
    """

    view: str
    who: str
    count: int | None = None
    recipe: Recipe | None = None
    settings: CollectSettings = field(default_factory=CollectSettings)


@dataclass(frozen=True)
class Collected:
    """What came of it. frames: all that the folder holds now; added: how many of them are new. refused: this time.

    stopped: why it ended before the wanted number, "" if it did not. notes: what a technician should know besides.
    """

    folder: Path
    frames: tuple[StoredFrame, ...]
    added: int
    refused: tuple[Refusal, ...]
    enough: Enough
    stopped: str = ""
    notes: tuple[str, ...] = ()


def unheard(refused: Refusal) -> None:
    """Nobody listens."""


def collect(
    source: Source,
    folder: Path,
    wanted: Wanted,
    progress: Progress = silent,
    told: Callable[[Refusal], None] = unheard,
) -> Collected:
    """Collect good frames of an opened source into a folder; running it again adds to what is there.

    progress gets (stored, wanted) from a camera and (files seen, files) from a folder; raising Cancelled from it ends the
    work, and what was stored until then stays and is whole. told: hears of each refusal at once. Raises ConfigError (the
    folder, see Album; a wrong count) and DeviceError (the camera): what was stored stays then too.
    """
    if wanted.count is not None and wanted.count < 1:
        raise ConfigError(f"must be at least 1, got {wanted.count}", where="--count", remedy="say how many frames to collect")
    if wanted.count is None and source.total is None:
        raise ConfigError("is missing", where="--count", remedy="say how many frames to take from the camera")
    with Album(folder, _document(wanted)) as album:
        work = _Work(source, album, wanted, progress, told)
        try:
            work.run()
        finally:
            album.note(work.refused)
        return work.result()


class _Work:
    def __init__(
        self, source: Source, album: Album, wanted: Wanted, progress: Progress, told: Callable[[Refusal], None]
    ) -> None:
        self._source, self._album, self._wanted, self._progress, self._told = source, album, wanted, progress, told
        self.refused: list[Refusal] = []
        self._before = len(album.frames)
        self._from_files = {frame.source_sha256: frame.file for frame in album.frames if frame.source_sha256}
        self._inspector = self._first_inspector()
        self._in_a_row = 0
        self._stopped = ""
        self._sharper: list[float] = []

    def run(self) -> None:
        """Until there are enough, the source has no more, or so many are refused in a row that it makes no sense."""
        if self._is_full():
            return
        total = self._source.total
        for seen, shot in enumerate(self._source.shots(), 1):
            before = len(self._album.frames)
            self._take(shot)
            stored = len(self._album.frames)
            self._in_a_row = 0 if stored > before else self._in_a_row + 1
            done, goal = (seen, total) if total is not None else (stored, self._wanted.count or 0)
            self._progress(done, goal, shot.name)
            if self._is_full():
                return
            if total is None and self._in_a_row >= self._wanted.settings.give_up_after:
                last = self.refused[-1]
                self._stopped = f"{self._in_a_row} frames in a row were refused, the last for {last.check}: {last.remedy}"
                return
        if self._wanted.count is not None:
            self._stopped = f"{self._source.name} has no more frames"
        elif not self._album.frames:
            self._stopped = f"none of {self._source.name} is a good frame"

    def result(self) -> Collected:
        """What it came to."""
        frames = self._album.frames
        stopped = self._stopped if not self._is_full() else ""
        return Collected(
            self._album.folder,
            frames,
            len(frames) - self._before,
            tuple(self.refused),
            enough(len(frames)),
            stopped,
            tuple(self._notes()),
        )

    def _is_full(self) -> bool:
        return self._wanted.count is not None and len(self._album.frames) >= self._wanted.count

    def _take(self, shot: Shot | Unreadable) -> None:
        if isinstance(shot, Unreadable):
            self._refuse(refusal(shot.name, "readable", shot.why, "write or copy the file again"))
            return
        twin = self._from_files.get(shot.file_sha256)
        if shot.file_sha256 and twin is not None:
            self._refuse(refusal(shot.name, "copy", f"is the same file as stored {twin}", "nothing to do"))
            return
        inspector = self._inspector or self._provisional(shot.image)
        found = inspector.inspect(shot)
        if found.broken or found.alignment is None:
            self._refuse(found.broken[0])
            return
        frame = self._store(shot, found, found.alignment)
        self._inspector = inspector
        distance = distance_of(found.checks)
        inspector.remember(inspector.known(frame.file, shot.image, found.alignment.frame_to_reference), distance)
        self._sharper += [check.value for check in found.checks if check.name == "sharpness"]

    def _refuse(self, refused: Refusal) -> None:
        self.refused.append(refused)
        self._told(refused)

    def _store(self, shot: Shot, found: Inspected, alignment: Alignment) -> StoredFrame:
        gates = [
            CheckValue(name=gate.name, value=gate.value, limit=gate.limit, kind=gate.kind)
            for gate in alignment.gates
            if np.isfinite(gate.value)
        ]
        fields = {
            "source": self._source.name,
            "source_name": shot.name,
            "source_sha256": shot.file_sha256,
            "taken_at": shot.taken_at,
            "stored_at": datetime.now(timezone.utc),
            "who": self._wanted.who,
            "camera_settings_hash": self._source.camera_settings_hash,
            "frame_to_reference": alignment.frame_to_reference.tolist(),
            "gates": gates,
            "checks": found.checks,
        }
        frame = self._album.add(shot.image, fields)
        if shot.file_sha256:
            self._from_files[shot.file_sha256] = frame.file
        return frame

    def _first_inspector(self) -> Inspector | None:
        recipe = self._wanted.recipe
        inspector: Inspector | None = None
        if recipe is not None:
            trained = recipe.bundle.manifest.training.sha256
            judged, align = judged_on_reference(recipe), as_the_station_does(recipe)
            inspector = Inspector(recipe.reference, recipe.registration, self._wanted.settings, judged, trained, align)
        for frame, image in self._album.images():
            inspector = inspector or self._provisional(image)
            inspector.remember(inspector.known(frame.file, image, frame.homography()), distance_of(frame.checks))
        return inspector

    def _provisional(self, image: ImageU8) -> Inspector:
        return Inspector(image.copy(), self._album.document.registration, self._wanted.settings)

    def _notes(self) -> list[str]:
        notes = []
        if self._album.document.provisional and self._album.frames:
            notes.append(f"{self._album.frames[0].file} is the provisional reference: no recipe was given")
        if self._inspector is not None and not self._inspector.tells_sharpness:
            notes.append("the reference shows too little texture: focus and motion blur were not checked")
        limit = 1 / self._wanted.settings.min_sharpness
        if len(self._sharper) >= 3 and float(np.median(self._sharper)) > limit:
            median = float(np.median(self._sharper))
            notes.append(f"the frames are {median:.2g} times as sharp as the reference: the reference is soft, take another")
        return notes


def _document(wanted: Wanted) -> CollectionFile:
    recipe = wanted.recipe
    return CollectionFile.model_validate(
        {
            "schema": 1,
            "view": wanted.view,
            "recipe": recipe.name if recipe else "",
            "reference": recipe.document.reference_sha256 if recipe else None,
            "provisional": recipe is None,
            "registration": recipe.registration if recipe else RegistrationSettings(),
            "settings": wanted.settings,
        }
    )
