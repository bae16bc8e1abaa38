"""What people say of frames: good, bad, or what of it is bad. Kept as a set that `lineclear-calibrate evaluate` reads.

    labels/VIEW/test/good/NAME.png  test/bad/NAME.png       the frame as grabbed, copied from the archive, proven by its hash
                ground_truth/bad/NAME_mask.png              what was drawn, 0 and 255
                about/NAME.json                             who, when, of which result, the note, the shapes

A label is one of a frame, not of a result: NAME is the hash of the frame's file, so that one picture is never called good and
bad. Where a frame lies says what it is; it gets there in one step.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from calibration.web.history.labels.drawing import DrawingError, paint, read_shapes
from calibration.web.history.labels.records import FRAME, LABELS, Label, Says, mask_path, name_of, read_label, record_of, short
from edge.archive import ArchiveReader, Entry
from edge.audit import Action, AuditLog
from edge.bundle.image import encode_png
from edge.cameras.image_headers import BadImage, read_header
from edge.durable import replace_file
from edge.errors import LineclearError

ACTION: Final = Action.LABEL
_LOCK: Final = threading.Lock()
"""Of all views: people label one frame after the other, and the page is one process."""
MAX_NOTE: Final = 500
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_SPACE: Final = "check space and rights of the page's folder; the label is as it was"


class LabelError(LineclearError):
    """A label that cannot be given, read or taken back; it is as it was."""


class Labels:
    """The labels of all views; any thread of the one process that writes them. folder: labels in the page's own folder.

    min_free_bytes: what must stay free on its disk. now: the wall clock, with a zone.
    """

    def __init__(
        self, folder: Path, audit: AuditLog, min_free_bytes: int = 0, now: Callable[[], datetime] | None = None
    ) -> None:
        self._folder = folder
        self._audit = audit
        self._min_free_bytes = min_free_bytes
        self._now = now or (lambda: datetime.now(timezone.utc))

    def folder(self, view: str) -> Path:
        """The set of a view, as `evaluate --labels` takes it. LabelError: no view of a config has such a name."""
        if not _is_folder(view):
            raise LabelError(f"{view[:80]!r} is no view", remedy="choose a view of this station")
        return self._folder / view

    def of(self, entry: Entry) -> Label | None:
        """What was said of a result's frame; None: nothing, or it has no frame."""
        return self.get(entry.view, name_of(entry)) if FRAME in entry.files and _is_folder(entry.view) else None

    def says(self, entry: Entry) -> Says | Literal[""]:
        """The word alone, quickly; "" where nobody said anything, or no view of a config can have such a name."""
        if FRAME not in entry.files or not _is_folder(entry.view):
            return ""
        folder = self._folder / entry.view / "test"
        return next((says for says in LABELS if (folder / says / f"{name_of(entry)}.png").is_file()), "")

    def get(self, view: str, name: str) -> Label | None:
        """One label by the name of its files."""
        if _NAME.fullmatch(name) is None:
            return None
        folder = self.folder(view)
        says = next((says for says in LABELS if (folder / "test" / says / f"{name}.png").is_file()), None)
        return read_label(folder, view, name, says) if says is not None else None

    def give(self, reader: ArchiveReader, entry: Entry, says: Says, who: str, *, note: str = "", drawn: str = "") -> Label:
        """Say what a frame is. drawn: the page's JSON of what is bad; only with "bad", and "" says that all of it may be.

        LabelError, DrawingError, ArchiveError (the frame is gone or damaged), AuditError: the label is as it was.
        """
        if entry.kind != "verdict" or FRAME not in entry.files:
            raise LabelError(
                "has no frame to label", where=f"result {entry.result_id[:80]}", remedy="label one that has a picture"
            )
        data = reader.read(entry, FRAME)
        size_wh = _size(data, entry)
        shapes = read_shapes(drawn) if says == "bad" else ()
        mask = paint(shapes, size_wh) if shapes else None
        if mask is not None and not mask.any():
            raise DrawingError(
                "what was drawn marks nothing of the frame", remedy="draw it again, or choose bad without a drawing"
            )
        marked_px = int(np.count_nonzero(mask)) if mask is not None else None
        name = name_of(entry)
        about = record_of(entry, says, who, note.strip()[:MAX_NOTE], self._now(), size_wh, shapes, marked_px)
        with _LOCK:
            before = self.get(entry.view, name)
            after = {"label": says, "marked_px": marked_px, "frame": name, "result_id": entry.result_id[:200]}
            why = about["note"] or f"labelled {says}"
            self._audit.append(ACTION, who=who, subject=f"label {entry.view}", why=why, before=short(before), after=after)
            with _worded(self._folder):
                self._store(self.folder(entry.view), name, says, data, mask, about)
        given = self.get(entry.view, name)
        if given is None:  # somebody took it back in this moment
            raise LabelError("was taken back meanwhile", where=f"label {name}", remedy="look at the list of labels")
        return given

    def size_wh(self, reader: ArchiveReader, entry: Entry) -> tuple[int, int]:
        """Width and height of a result's frame. LabelError: it is no picture. ArchiveError: it is gone or damaged."""
        return _size(reader.read(entry, FRAME), entry)

    def take_back(self, view: str, name: str, who: str, why: str = "") -> Label | None:
        """Nothing is said of the frame any more; what was said, None if there was nothing. Raises as `give`."""
        with _LOCK:
            before = self.get(view, name)
            if before is None:
                return None
            self._audit.append(
                ACTION,
                who=who,
                subject=f"label {view}",
                why=why or "label taken back",
                before=short(before),
                after=None,
            )
            folder = self.folder(view)
            with _worded(self._folder):
                (folder / "test" / before.says / f"{name}.png").unlink(missing_ok=True)
                mask_path(folder, name).unlink(missing_ok=True)
                (folder / "about" / f"{name}.json").unlink(missing_ok=True)
        return before

    def names(self, view: str) -> list[str]:
        """The labelled frames of a view, the newest label first."""
        found: list[tuple[float, str]] = []
        for says in LABELS:
            for path in (self.folder(view) / "test" / says).glob("*.png"):
                with suppress(OSError):
                    about = self.folder(view) / "about" / f"{path.stem}.json"
                    found.append(((about if about.exists() else path).stat().st_mtime, path.stem))
        return [name for _, name in sorted(found, reverse=True) if _NAME.fullmatch(name)]

    def counts(self, view: str) -> dict[str, int]:
        """How many are good, bad, and bad with what is bad drawn."""
        folder = self.folder(view)
        places = {"good": folder / "test" / "good", "bad": folder / "test" / "bad", "drawn": folder / "ground_truth" / "bad"}
        return {name: sum(1 for _ in place.glob("*.png")) for name, place in places.items()}

    def all(self, view: str) -> Iterator[Label]:
        """Every label, the newest first."""
        for name in self.names(view):
            label = self.get(view, name)
            if label is not None:
                yield label

    def _store(self, folder: Path, name: str, says: Says, frame: bytes, mask: Any, about: dict[str, Any]) -> None:
        """The frame comes to its place in one step; the mask of a bad one is there before, that of a good one goes after."""
        for part in ("test/good", "test/bad", "about"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder).free - len(frame) < self._min_free_bytes:
            raise LabelError("the disk is nearly full", where=str(folder), remedy="free space, then label it again")
        place, other = (folder / "test" / each / f"{name}.png" for each in (says, "bad" if says == "good" else "good"))
        if mask is not None:
            mask_path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            replace_file(mask_path(folder, name), encode_png(mask.astype(np.uint8) * np.uint8(255)))
        if other.exists():
            other.replace(place)
        elif not place.exists():
            replace_file(place, frame)
        if mask is None:
            mask_path(folder, name).unlink(missing_ok=True)
        replace_file(folder / "about" / f"{name}.json", (json.dumps(about, indent=1) + "\n").encode("ascii"))


def _size(data: bytes, entry: Entry) -> tuple[int, int]:
    try:
        return read_header(data).size_wh
    except BadImage as error:
        remedy = "label another one"
        raise LabelError(f"its frame is no picture ({error})", where=f"result {entry.result_id[:80]}", remedy=remedy) from None


def _is_folder(view: str) -> bool:
    return 0 < len(view) <= 200 and view.isprintable() and "/" not in view and not view.startswith(".")


@contextmanager
def _worded(folder: Path) -> Iterator[None]:
    """What the disk refuses, in words."""
    try:
        yield
    except OSError as error:
        message = f"cannot be written ({error.strerror or error})"
        raise LabelError(message, where=str(folder), remedy=_SPACE) from None
