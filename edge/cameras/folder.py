"""Replay of a folder of images, as if they came from a camera."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from typing_extensions import Self

from edge.cameras.images import SUFFIXES, read_image
from edge.errors import CameraLost, CameraRefused, ConfigError, FrameError
from edge.settings.cameras import FolderSettings
from edge.types import Frame


def image_files(folder: Path) -> tuple[Path, ...]:
    """The image files of a folder in natural order (2.png before 10.png); hidden files are left out. OSError."""
    return tuple(
        sorted(
            (
                path
                for path in folder.iterdir()
                if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
            ),
            key=natural_key,
        )
    )


def good_images(folder: Path) -> tuple[Path, ...]:
    """As `image_files`, for a person who named a folder of good frames: ConfigError if there is none to take."""
    try:
        paths = image_files(folder)
    except OSError as error:
        raise ConfigError(f"cannot be listed ({error.strerror})", where=str(folder), remedy="name a folder of images") from None
    if not paths:
        raise ConfigError("holds no image", where=str(folder), remedy="put good frames there (png, jpg, bmp, tif), at least 5")
    return paths


def natural_key(path: Path) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Sorts digits by value and the rest without case; the name itself decides between equals."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", path.name)
    keys = tuple((0, int(piece), "") if piece[0] in "0123456789" else (1, 0, piece.casefold()) for piece in pieces)
    return keys, path.name


class FolderCamera:
    """Frames are numbered from 0 over all rounds. The list of files is made once, when it is opened.

    A file that cannot be judged takes its turn like any other: grab raises FrameError for it and goes on with the next.
    """

    def __init__(self, settings: FolderSettings, view: str) -> None:
        self._settings, self._view = settings, view
        self._files: tuple[Path, ...] = ()
        self._number = 0
        self._triggers = 0
        self._due_s = 0.0

    def __enter__(self) -> Self:
        """List the images; CameraRefused if there is no folder or nothing in it."""
        where = str(self._settings.path)
        try:
            self._files = image_files(self._settings.path)
        except OSError as error:
            raise CameraRefused(f"cannot be listed ({error.strerror})", where=where, remedy="check the path") from None
        if not self._files:
            raise CameraRefused("holds no image", where=where, remedy=f"put files there: {' '.join(SUFFIXES)}")
        self._number = self._triggers = 0
        self._due_s = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Forget the list."""
        self._files = ()

    def grab(self, timeout_s: float) -> Frame | None:
        """The next image at its time; None when that is later, when no trigger waits, or when all were shown once."""
        if not self._files:
            raise CameraLost("is not open", where=str(self._settings.path))
        deadline_s = time.monotonic() + timeout_s
        ended = not self._settings.loop and self._number >= len(self._files)
        waits = self._settings.trigger == "software" and self._triggers == 0
        if ended or waits or self._due_s > deadline_s:
            time.sleep(max(0.0, timeout_s))
            return None
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        return self._next()

    def trigger(self) -> None:
        """One image, if the settings say `trigger: software`."""
        if not self._files:
            raise CameraLost("is not open", where=str(self._settings.path))
        if self._settings.trigger == "software":
            self._triggers += 1

    def _next(self) -> Frame:
        number, self._number = self._number, self._number + 1
        self._triggers = max(0, self._triggers - 1)
        if self._settings.rate_hz is not None:
            self._due_s = max(self._due_s + 1 / self._settings.rate_hz, time.monotonic())
        path = self._files[number % len(self._files)]
        image = read_image(path, self._settings.bit_depth)
        wanted, size = self._settings.size_wh, (image.shape[1], image.shape[0])
        if wanted is not None and wanted != size:
            what = f"is {size[0]}x{size[1]}, the settings say {wanted[0]}x{wanted[1]}"
            raise FrameError(what, where=str(path), remedy="take the file away or mend size_wh")
        return Frame(
            image,
            self._view,
            number,
            time.monotonic_ns(),
            datetime.now(timezone.utc),
            camera=f"folder {self._settings.path}",
            is_simulated=True,
        )
