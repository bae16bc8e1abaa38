"""Frames of released views, put where a technician finds them: `pool/{view}/` beside the station's other state.

`lineclear-calibrate collect --images STATE/pool/VIEW` reads them. Nothing takes them by itself: a person decides there
whether a frame that was released is a good one.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

from edge.archive import ArchiveReader
from edge.archive.evidence import FRAME, ArchiveError
from edge.clearance.base import PoolEntry
from edge.durable import replace_file

FOLDER: Final = "pool"
KEPT: Final = 500
"""Frames of one view; the oldest give way."""


class FramePool:
    """Copies frames out of the archive, which forgets them one day. One thread uses it."""

    def __init__(self, folder: Path, archive: Path, keep: int = KEPT) -> None:
        """folder: holds a folder per view, made if need be. archive: where the evidence is."""
        self._folder = folder
        self._reader = ArchiveReader(archive)
        self._keep = keep

    def take(self, entry: PoolEntry) -> None:
        """Put the frames of one released view into the pool, each with a JSON that says whose they are. Each once.

        ArchiveError: not every frame is there to be put, or the disk refuses; those that could be are in the pool.
        """
        folder = self._folder / folder_name(entry.view)
        lost = []
        for result_id in entry.result_ids:
            found = self._reader.get(result_id)
            if found is None or FRAME not in found.files:
                lost.append(result_id)
                continue
            data = self._reader.read(found, FRAME)
            name = found.files[FRAME]
            about = {**asdict(entry), "result_ids": None, "result_id": result_id}
            try:
                folder.mkdir(parents=True, exist_ok=True)
                replace_file(
                    folder / f"{name}.json",
                    json.dumps({key: about[key] for key in sorted(about) if about[key]}).encode(),
                    mode=0o640,
                )
                replace_file(folder / name, data, mode=0o640)
            except OSError as error:
                remedy = "free the disk of state_dir, check its rights"
                raise ArchiveError(f"cannot be written ({error.strerror})", where=str(folder / name), remedy=remedy) from None
        self._bound(folder)
        if lost:
            remedy = "see `lineclear archive verify` for what is missing and why"
            raise ArchiveError(f"has no frame of {', '.join(lost)}", where=str(self._reader.folder), remedy=remedy)

    def _bound(self, folder: Path) -> None:
        """Names sort by time."""
        for path in sorted(folder.glob("*.png"))[: -self._keep]:
            for old in (path, path.with_name(f"{path.name}.json")):
                with suppress(OSError):
                    old.unlink()


def folder_name(view: str) -> str:
    """The view's name as far as it can name a folder."""
    name = re.sub(r"[^\w.-]", "_", view)
    return name if name.strip(".") else name.replace(".", "_") or "_"
