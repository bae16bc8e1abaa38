"""Frames without loss: one that the station takes now, or one that the archive has."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from edge.archive import FRAME, ArchiveError, ArchiveReader, Entry
from edge.errors import LineclearError
from edge.types import ImageU8

ASK_S: Final = 20.0
KEPT_S: Final = 15.0
_LOOK_S: Final = 0.05
_PAUSE: Final = threading.Event()


class NoFrame(LineclearError):
    """There is no frame to look at."""


class Asks(Protocol):
    """`Link.ask`."""

    def ask(self, command: str, body: Mapping[str, Any], *, timeout_s: float = 10) -> Mapping[str, Any]:
        """The station's answer."""
        ...


@dataclass(frozen=True, eq=False)
class Shot:
    """One frame as it was grabbed. path: its file in the archive."""

    result_id: str
    outcome: str
    reason: str
    decided_at: datetime
    path: Path
    frame: ImageU8 = field(repr=False)


def take_shot(link: Asks, archive: ArchiveReader, view: str, patience_s: float = KEPT_S) -> Shot:
    """Have the station take a frame now, and keep it. What the station refuses is raised as it says it; NoFrame: it gave none,
    or its archive did not keep it.
    """
    result = link.ask("snapshot", {"view": view, "keep": True}, timeout_s=ASK_S)
    reason = result.get("reason")
    if not result.get("images"):
        detail = str(reason.get("detail")) if isinstance(reason, Mapping) else "no frame came"
        raise NoFrame(f"the camera gave no picture: {detail}", where=view, remedy="see the station page: is the camera live?")
    result_id = str(result.get("result_id"))
    deadline_s = time.monotonic() + patience_s
    while True:
        entry = archive.get(result_id) if archive.folder.exists() else None
        if entry is not None:
            return _read(archive, entry)
        if time.monotonic() > deadline_s:
            remedy = "look whether `archive` is on in the station's config, and at the alarm `evidence`"
            raise NoFrame("the picture was taken, but the archive did not keep it", where=view, remedy=remedy)
        _PAUSE.wait(_LOOK_S)


def shot_of(archive: ArchiveReader, view: str, result_id: str) -> Shot:
    """A frame of this view that the archive has. NoFrame: it has none, or of another view."""
    entry = archive.get(result_id)
    if entry is None or entry.view != view:
        raise NoFrame("this picture is not in the archive (any more)", where=view, remedy="choose another one")
    return _read(archive, entry)


def recent(archive: ArchiveReader, view: str, limit: int, keep: Callable[[Entry], bool] = lambda _: True) -> list[Entry]:
    """The newest results of a view that have a frame; none where there is no archive yet."""
    try:
        found = archive.find(view=view, kind="verdict", limit=4 * limit)
    except ArchiveError:
        return []
    return [entry for entry in found if FRAME in entry.files and keep(entry)][:limit]


def _read(archive: ArchiveReader, entry: Entry) -> Shot:
    if FRAME not in entry.files:
        raise NoFrame("the archive has no picture of this result", where=entry.view or "", remedy="choose another one")
    path = entry.folder / entry.files[FRAME]
    return Shot(entry.result_id, entry.outcome, entry.reason, entry.decided_at, path, archive.frame(entry))
