"""Where the wizard's frames come from: the running station's camera, and what the archive kept.

A snapshot's picture over MQTT is a JPEG. On real frames that moves a score by up to a sixth either way, so no threshold is
taken from one: the frame of a snapshot is read from the archive, which keeps it as it was grabbed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from calibration.collect import Shot, Unreadable
from calibration.web.wizard.bench import Ask
from edge.archive import ArchiveError, ArchiveReader, Entry
from edge.archive.evidence import FRAME
from edge.cameras.folder import image_files
from edge.errors import CameraLost, ConfigError
from edge.types import Outcome, ReasonCode

Wait = Callable[[float], None]
"""Waits so many seconds; raises Cancelled when the work was stopped meanwhile."""

ASK_S: Final = 15.0
KEPT_WITHIN_S: Final = 5.0
_LOOK_S: Final = 0.1
MOST_ARCHIVED: Final = 200
_AWAY: Final = frozenset(code.value for code in (ReasonCode.CAMERA_LOST, ReasonCode.FRAME_TIMEOUT, ReasonCode.STOPPED))
_LOST: Final = ReasonCode.FRAME_LOST.value


class SnapshotSource:
    """Fresh frames of a running station: its `snapshot` command, and the frame that the archive kept of each.

    every_s: the pause between two, so that they show more than one moment.
    """

    def __init__(
        self, view: str, ask: Ask, archive: ArchiveReader, camera_settings_hash: str | None, every_s: float, wait: Wait
    ) -> None:
        self._view, self._ask, self._archive, self._every_s, self._wait = view, ask, archive, every_s, wait
        self.name = f"station, view {view}"
        self.camera_settings_hash = camera_settings_hash
        self.total: int | None = None

    def shots(self) -> Iterator[Shot | Unreadable]:
        """Without end. CameraLost: the camera gave no frame. ConfigError: the archive keeps none. Raises what asking raises."""
        first = True
        while True:
            if not first:
                self._wait(self._every_s)
            first = False
            yield self._shot()

    def _shot(self) -> Shot | Unreadable:
        said = self._ask("snapshot", {"view": self._view, "keep": True}, timeout_s=ASK_S)
        result_id, reason = str(said.get("result_id", "")), said.get("reason") or {}
        detail = str(reason.get("detail") or reason.get("code") or "")
        if reason.get("code") in _AWAY:
            raise CameraLost(f"gave no frame ({detail})", where=f"camera of {self._view}", remedy="see the station's page")
        if reason.get("code") == _LOST:
            return Unreadable(result_id, detail)
        entry = self._kept(result_id)
        if entry is None:
            remedy = "see the station's alarm `evidence`, and whether archive.enabled is true in its config; or upload frames"
            raise ConfigError("the station kept no lossless copy of the frame", where=self._view, remedy=remedy)
        try:
            image = self._archive.frame(entry)
        except ArchiveError as error:
            return Unreadable(result_id, error.message)
        return Shot(result_id, image, entry.decided_at, file_sha256=entry.sha256[FRAME])

    def _kept(self, result_id: str) -> Entry | None:
        """The archive writes in its own thread, a little later."""
        waited_s = 0.0
        while True:
            entry = self._archive.get(result_id)
            if entry is not None:
                return entry if FRAME in entry.files else None
            if waited_s >= KEPT_WITHIN_S:
                return None
            self._wait(_LOOK_S)
            waited_s += _LOOK_S


class ArchiveSource:
    """Frames that the archive kept of these results."""

    def __init__(self, archive: ArchiveReader, entries: Sequence[Entry]) -> None:
        self._archive, self._entries = archive, entries
        self.name = "archive"
        self.camera_settings_hash: str | None = None
        self.total: int | None = len(entries)

    def shots(self) -> Iterator[Shot | Unreadable]:
        """One per result."""
        for entry in self._entries:
            try:
                image = self._archive.frame(entry)
            except ArchiveError as error:
                yield Unreadable(entry.result_id, error.message)
                continue
            yield Shot(entry.result_id, image, entry.decided_at, file_sha256=entry.sha256[FRAME])


def passed(entries: Sequence[Entry]) -> list[Entry]:
    """Those that passed and whose frame is kept, evenly thinned to as many as make sense to look at."""
    usable = [entry for entry in entries if entry.outcome == Outcome.PASS.value and FRAME in entry.files]
    if len(usable) <= MOST_ARCHIVED:
        return usable
    step = len(usable) / MOST_ARCHIVED
    return [usable[int(number * step)] for number in range(MOST_ARCHIVED)]


def pooled(folder: Path) -> tuple[Path, ...]:
    """The frames of the pool; empty where there is none."""
    try:
        return image_files(folder)
    except OSError:
        return ()
