"""The images that labels speak of: found by name inside their own folder and nowhere else, with their size."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from calibration.labels.documents import Fault, shown
from edge.cameras.folder import image_files
from edge.cameras.image_headers import BadImage, ImageHeader, read_header
from edge.cameras.images import MAX_FILE_BYTES, MAX_PIXELS
from edge.errors import ConfigError

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
MAX_NAME = 1000
_EXIF_WITHIN = 4096  # the tag stands in the first segments
_ORIENTATION = 0x0112


class ImageFolder:
    """Looks names up below one folder and remembers which images were asked for."""

    def __init__(self, folder: Path) -> None:
        """ConfigError if there is no such folder."""
        if not folder.is_dir():
            remedy = "name the folder of the labelled images with --images"
            raise ConfigError("is no folder", where=str(folder), remedy=remedy)
        self.folder = folder
        self._asked: set[Path] = set()
        self._listed: dict[Path, dict[Path, None]] = {}

    def find(self, name: str, *, last_part_only: bool = False) -> Path:
        """The image of that name; Fault if there is none or if the name leads out of the folder.

        last_part_only: folders in the name are ignored, for tools that write the path from where the label file was.
        """
        parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".")]
        if not parts or len(name) > MAX_NAME or not _plain(name):
            raise Fault(f"the image's name is {shown(name)}", "write a file name")
        if last_part_only:
            parts = parts[-1:]
        elif ".." in parts or name[0] in "/\\" or _SCHEME.match(name):
            raise Fault(f"{shown(name)} leads out of the folder of images", "write the name of a file inside it")
        if parts == [".."]:
            raise Fault(f"the image's name is {shown(name)}", "write a file name")
        path = self.folder.joinpath(*parts)
        files = self._files(path.parent)
        if path not in files:
            near = [file.name for file in files if file.name.casefold() == path.name.casefold()]
            hint = f"; there is {near[0]}" if near else ""
            raise Fault(f"the image {shown(name, MAX_NAME)} is not in {self.folder}{hint}", "add it, or delete its labels")
        self._asked.add(path)
        return path

    def not_asked_for(self) -> tuple[Path, ...]:
        """The images of the folder, and of the folders in which names were found, that no label spoke of."""
        folders = {self.folder} | {path.parent for path in self._asked}
        return tuple(path for folder in sorted(folders) for path in self._files(folder) if path not in self._asked)

    def _files(self, folder: Path) -> dict[Path, None]:
        if folder not in self._listed:
            try:
                self._listed[folder] = dict.fromkeys(image_files(folder))
            except OSError:
                self._listed[folder] = {}
        return self._listed[folder]


def frame_size(path: Path) -> tuple[int, int]:
    """Width and height of a whole image, without decoding it. Fault if it is cut off, no image or too large."""
    return header_of(image_bytes(path)).size_wh


def turned_by_tag(path: Path) -> bool:
    """True if a JPEG's EXIF tag asks programs to turn or mirror it: labelling tools do, cameras on a machine do not. Fault."""
    data = image_bytes(path)
    if not data.startswith(b"\xff\xd8"):
        return False
    at = data.find(b"Exif\0\0", 0, _EXIF_WITHIN)
    tiff = data[at + 6 :] if at >= 0 else b""
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"
    start = int.from_bytes(tiff[4:8], order)
    entries = int.from_bytes(tiff[start : start + 2], order)
    for entry in range(start + 2, start + 2 + 12 * min(entries, 1000), 12):
        if int.from_bytes(tiff[entry : entry + 2], order) == _ORIENTATION:
            return int.from_bytes(tiff[entry + 8 : entry + 10], order) > 1
    return False


def image_bytes(path: Path) -> bytes:
    """The file. Fault if it cannot be read."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise Fault("is too large", f"at most {MAX_FILE_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise Fault(f"cannot be read ({error.strerror})", "check the file and its rights") from None


def header_of(data: bytes) -> ImageHeader:
    """Kind and size of a whole image. Fault."""
    try:
        header = read_header(data)
    except BadImage as error:
        raise Fault(str(error), "write or copy the file again") from None
    width, height = header.size_wh
    if not 0 < width * height <= MAX_PIXELS:
        raise Fault(f"is {width}x{height}", f"at most {MAX_PIXELS // 10**6} megapixels")
    return header


def _plain(name: str) -> bool:
    return name.isprintable() and not any(0xD800 <= ord(character) <= 0xDFFF for character in name)
