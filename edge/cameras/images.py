"""The one way in which this product reads an image file."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cameras.image_headers import BadImage, read_header
from edge.errors import FrameError
from edge.types import ImageU8

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
MAX_PIXELS = 200_000_000
MAX_FILE_BYTES = 1_300_000_000

_stderr_lock = threading.Lock()
_DECODER_SAYS = ("Corrupt JPEG", "Premature end of JPEG", "Invalid", "Unsupported", "libpng", "TIFF", "[ WARN", "[ERROR")


def read_image(path: Path, bit_depth: int = 8) -> ImageU8:
    """The image as uint8 HxWx3 RGB, or HxW where the file is grey; read-only.

    bit_depth: 8, or what a 16-bit file holds in its low bits (10, 12 or 16), which is cut to the upper 8. It is never
    guessed: a file of another depth is refused, and so is one that holds more than its depth allows. Orientation tags
    are ignored (a camera on a machine has one orientation), an alpha channel is dropped if all of it is opaque, colour
    profiles are not applied. FrameError, with path and remedy, for anything that is not wholly there or not an image.
    """
    data = _read(path)
    try:
        header = read_header(data)
    except BadImage as error:
        raise FrameError(str(error), where=str(path), remedy="write or copy the file again") from None
    width, height = header.size_wh
    if not 0 < width * height <= MAX_PIXELS:
        raise FrameError(f"is {width}x{height}", where=str(path), remedy=f"at most {MAX_PIXELS // 10**6} megapixels")
    pixels = _decoded(data, path)
    if pixels.shape[:2] != (height, width):
        size = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise FrameError(f"says {width}x{height} but holds {size}", where=str(path), remedy="write the file again")
    image = np.ascontiguousarray(_as_rgb(_as_u8(pixels, bit_depth, path), path))
    image.flags.writeable = False
    return image


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=_unblocked) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FrameError("is no plain file", where=str(path), remedy="name an image file")
            if status.st_size > MAX_FILE_BYTES:
                raise FrameError(f"{status.st_size} bytes is too large", where=str(path), remedy=f"at most {MAX_FILE_BYTES}")
            return file.read(status.st_size)
    except FileNotFoundError:
        raise FrameError("file not found", where=str(path), remedy="check the path") from None
    except OSError as error:
        raise FrameError(
            f"cannot be read ({error.strerror})", where=str(path), remedy="check the file and its rights"
        ) from None


def _unblocked(name: str, flags: int) -> int:
    """A pipe that nobody writes must not hold the station up."""
    return os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _decoded(data: bytes, path: Path) -> NDArray[Any]:
    said: list[str] = []
    try:
        with _decoder_messages(said):
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    complaint = next((line for line in said if "JPEG" in line), "")
    if pixels is None or complaint:
        detail = f" ({complaint})" if complaint else ""
        raise FrameError(f"is damaged{detail}", where=str(path), remedy="write or copy the file again")
    return np.asarray(pixels)


@contextlib.contextmanager
def _decoder_messages(said: list[str]) -> Iterator[None]:
    """Collect what decoders print on standard error: libjpeg tells of a damaged picture in no other way.

    Descriptor 2 belongs to the whole process: what other threads write meanwhile is passed on afterwards.
    """
    with _stderr_lock:
        try:
            kept = os.dup(2)
        except OSError:  # a service without standard error
            yield
            return
        heard = os.memfd_create("decoder")
        os.dup2(heard, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            with open(heard, "rb") as file:
                file.seek(0)
                lines = file.read().decode("utf-8", "replace").splitlines()
            said += [line for line in lines if line.lstrip().startswith(_DECODER_SAYS)]
            for line in lines:
                if line and not line.lstrip().startswith(_DECODER_SAYS):
                    os.write(2, f"{line}\n".encode())


def _as_u8(pixels: NDArray[Any], bit_depth: int, path: Path) -> NDArray[Any]:
    if pixels.dtype == np.uint8 and bit_depth == 8:
        return pixels
    if pixels.dtype == np.uint8:
        raise FrameError(f"has 8 bits, bit_depth says {bit_depth}", where=str(path), remedy="write bit_depth: 8")
    if pixels.dtype != np.uint16:
        raise FrameError(f"has pixels of type {pixels.dtype}", where=str(path), remedy="8 or 16 bit integers can be judged")
    if bit_depth == 8:
        remedy = "write bit_depth: 10, 12 or 16, as the camera stored it, or save it with 8 bits"
        raise FrameError("has 16 bits where 8 are expected", where=str(path), remedy=remedy)
    top = int(pixels.max())
    if top >> bit_depth:
        remedy = "write bit_depth: 16 if its values are left-aligned"
        raise FrameError(f"holds {top}, which does not fit into bit_depth {bit_depth}", where=str(path), remedy=remedy)
    return (pixels >> (bit_depth - 8)).astype(np.uint8)


def _as_rgb(pixels: NDArray[Any], path: Path) -> NDArray[Any]:
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 4:
        if int(pixels[..., 3].min()) != 255:
            raise FrameError("has transparent pixels", where=str(path), remedy="save it without an alpha channel")
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB))
    if pixels.shape[2] != 3:
        raise FrameError(f"has {pixels.shape[2]} channels", where=str(path), remedy="grey or RGB can be judged")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
