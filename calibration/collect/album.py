"""The folder of collected frames: never half-written, never written over, and whole again after a power cut.

A frame is first written as a hidden file that no reader of the folder sees, then listed in `collected.json`, then renamed to
its number; one that is taken out goes the same way back. Whatever is cut off, the next opening finishes what is listed and
removes what is not.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from calibration.collect.records import MAX_REFUSED, CollectionFile, Refusal, StoredFrame
from edge.bundle.image import decode_png, encode_png
from edge.cameras.folder import image_files
from edge.durable import sync, write_file
from edge.errors import BundleError, ConfigError
from edge.schema import read_json, validate
from edge.types import ImageU8

DOCUMENT, LOCK = "collected.json", ".collecting"
_PENDING, _REMOVED, _NEW = ".pending-", ".removed-", ".new-collected.json"
MAX_DOCUMENT_BYTES = 200_000_000
_REMEDY = "give another folder, or take back what was changed"


class Album:
    """Enter it to open or make the folder. One process at a time; others may read.

    start: the document of a new folder; of one that is there, view, recipe and reference must be the same. ConfigError: the
    folder is something else's, cannot be written, is in use, or a file in it is not what was stored.
    """

    def __init__(self, folder: Path, start: CollectionFile) -> None:
        self.folder = folder
        self.document = start
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Lock the folder, read what is there, finish what was cut off."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._refuse_strangers()
            self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._recover()
        except BlockingIOError:
            self._unlock()
            raise self._error("someone else is collecting into it", "wait, or give another folder") from None
        except OSError as error:
            self._unlock()
            raise self._unwritable(error) from None
        except ConfigError:
            self._unlock()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let others at it. What was stored stays."""
        self._unlock()

    @property
    def frames(self) -> tuple[StoredFrame, ...]:
        """What is stored, in order."""
        return self.document.frames

    def images(self) -> Iterator[tuple[StoredFrame, ImageU8]]:
        """Every stored frame with its picture, proven by its hash. ConfigError names the one that is not what it was."""
        for frame in self.frames:
            path = self.folder / frame.file
            try:
                data = path.read_bytes()
                if hashlib.sha256(data).hexdigest() != frame.sha256:
                    raise self._error(f"{frame.file} was changed since it was stored", _REMEDY)
                yield frame, decode_png(data, str(path))
            except OSError as error:
                raise self._error(f"{frame.file} cannot be read ({error.strerror})", _REMEDY) from None
            except BundleError as error:
                raise self._error(f"{frame.file} {error.message}", _REMEDY) from None

    def add(self, image: ImageU8, fields: dict[str, Any]) -> StoredFrame:
        """Store one frame; fields: of `StoredFrame` but for file and sha256. ConfigError where the disk refuses."""
        number = max((int(frame.file[:-4]) for frame in self.frames), default=0) + 1
        name = f"{number:04d}.png"
        data = encode_png(image)
        frame = StoredFrame.model_validate({**fields, "file": name, "sha256": hashlib.sha256(data).hexdigest()})
        update: dict[str, Any] = {"frames": (*self.frames, frame)}
        if self.document.provisional and self.document.reference is None:
            update["reference"] = frame.sha256
        try:
            write_file(self.folder / f"{_PENDING}{name}", data)
            self._save(self.document.model_copy(update=update))
            os.rename(self.folder / f"{_PENDING}{name}", self.folder / name)
            sync(self.folder)
        except OSError as error:
            if frame not in self.document.frames:  # not listed: half a picture, on a disk that is full
                with suppress(OSError):
                    (self.folder / f"{_PENDING}{name}").unlink(missing_ok=True)
            raise self._unwritable(error) from None
        return frame

    def remove(self, file: str) -> None:
        """Take out one frame that a person does not hold for good. ConfigError: there is none of that name, or as `add`."""
        kept = tuple(frame for frame in self.frames if frame.file != file)
        if len(kept) == len(self.frames):
            raise self._error(f"holds no frame {file[:40]!r}", "look at the list again")
        try:
            os.rename(self.folder / file, self.folder / f"{_REMOVED}{file}")
            self._save(self.document.model_copy(update={"frames": kept}))
            (self.folder / f"{_REMOVED}{file}").unlink()
        except OSError as error:
            raise self._unwritable(error) from None

    def note(self, refused: list[Refusal]) -> None:
        """Keep why candidates were refused. ConfigError where the disk refuses."""
        if not refused:
            return
        kept = (*self.document.refused, *refused)[-MAX_REFUSED:]
        update = {"refused": kept, "refused_count": self.document.refused_count + len(refused)}
        try:
            self._save(self.document.model_copy(update=update))
        except OSError as error:
            raise self._unwritable(error) from None

    def _refuse_strangers(self) -> None:
        """Nothing is put into a folder that is something else's, not even the lock."""
        if (self.folder / DOCUMENT).exists():
            return
        strangers = sorted(entry.name for entry in self.folder.iterdir() if not entry.name.startswith("."))
        if strangers:
            named = ", ".join(strangers[:3]) + (", ..." if len(strangers) > 3 else "")
            remedy = "give an empty folder: thresholds would take its images for good frames"
            raise self._error(f"holds what was not collected ({named})", remedy)

    def _recover(self) -> None:
        path = self.folder / DOCUMENT
        if path.exists():
            self._take_over(read_album(self.folder))
        listed = {frame.file for frame in self.frames}
        for pending in sorted(self.folder.glob(f"{_PENDING}*")):
            name = pending.name.removeprefix(_PENDING)
            if name in listed and not (self.folder / name).exists():
                os.rename(pending, self.folder / name)
            else:
                pending.unlink()
        for removed in sorted(self.folder.glob(f"{_REMOVED}*")):
            name = removed.name.removeprefix(_REMOVED)
            if name in listed and not (self.folder / name).exists():
                os.rename(removed, self.folder / name)
            else:
                removed.unlink()
        (self.folder / _NEW).unlink(missing_ok=True)
        strangers = [file.name for file in image_files(self.folder) if file.name not in listed]
        if strangers:
            what = f"holds images that were not collected ({', '.join(strangers[:3])}{', ...' if len(strangers) > 3 else ''})"
            raise self._error(what, "give an empty folder: thresholds would take them for good frames")

    def _take_over(self, old: CollectionFile) -> None:
        for key, word in (("view", "view"), ("recipe", "recipe"), ("provisional", "kind of reference")):
            then, now = getattr(old, key), getattr(self.document, key)
            if then != now:
                raise self._error(f"was collected for another {word} ({then!r}, now {now!r})", "give another folder")
        if not old.provisional and old.reference != self.document.reference:
            raise self._error("was collected against another reference image", "give another folder")
        self.document = old.model_copy(update={"settings": self.document.settings})

    def _save(self, document: CollectionFile) -> None:
        text = json.dumps(document.model_dump(mode="json", by_alias=True), indent=1, allow_nan=False) + "\n"
        try:
            write_file(self.folder / _NEW, text.encode())
            os.replace(self.folder / _NEW, self.folder / DOCUMENT)
        except OSError:
            with suppress(OSError):
                (self.folder / _NEW).unlink(missing_ok=True)
            raise
        sync(self.folder)
        self.document = document

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _error(self, what: str, remedy: str) -> ConfigError:
        return ConfigError(what, where=str(self.folder), remedy=remedy)

    def _unwritable(self, error: OSError) -> ConfigError:
        return self._error(
            f"cannot be written ({error.strerror or error})", "check space and permissions; what was stored stays"
        )


def read_album(folder: Path) -> CollectionFile:
    """The document of a folder of collected frames. ConfigError: none, or damaged."""
    path = folder / DOCUMENT
    return validate(CollectionFile, read_json(path, MAX_DOCUMENT_BYTES), str(path))
