"""What an image file says about itself, and whether all of it is there, without decoding a pixel.

OpenCV gives grey where a JPEG was cut off and only prints a line about it; a picture half of which is missing must not
be judged. Layouts: PNG (W3C, third edition), JPEG (ITU-T T.81, annex B), BMP (Windows DIB), TIFF 6.0.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class ImageHeader:
    """kind: png, jpeg, bmp or tiff. size_wh in pixels as stored (orientation tags are not applied)."""

    kind: str
    size_wh: tuple[int, int]


class BadImage(ValueError):
    """The bytes are no whole image of a known kind; the message says what is missing."""


def read_header(data: bytes) -> ImageHeader:
    """The header of a complete file; BadImage if it is unknown, damaged or cut off."""
    try:
        if data.startswith(_PNG):
            return ImageHeader("png", _png(data))
        if data.startswith(b"\xff\xd8"):
            return ImageHeader("jpeg", _jpeg(data))
        if data.startswith(b"BM"):
            return ImageHeader("bmp", _bmp(data))
        if data[:4] in (b"II*\0", b"MM\0*"):
            return ImageHeader("tiff", _tiff(data))
    except (struct.error, IndexError):
        raise BadImage("is cut off") from None
    raise BadImage("is empty" if not data else "is no png, jpeg, bmp or tiff image")


def _png(data: bytes) -> tuple[int, int]:
    at, size = len(_PNG), (0, 0)
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        (expected,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(data[at + 4 : end]) != expected:
            raise BadImage(f"is damaged (checksum of its part {name.decode('latin-1')!r})")
        if name == b"IHDR":
            width, height = struct.unpack_from(">II", data, at + 8)
            size = (width, height)
        if name == b"IEND":
            return size
        at = end + 4


def _jpeg(data: bytes) -> tuple[int, int]:
    at, size = 2, (0, 0)
    while True:
        mark, name = data[at], data[at + 1]
        if mark != 0xFF:
            raise BadImage("is damaged (a JPEG marker is missing)")
        if name == 0xFF:
            at += 1
            continue
        if name == 0xD9:
            if size == (0, 0):
                raise BadImage("holds no picture")
            return size
        (length,) = struct.unpack_from(">H", data, at + 2)
        if 0xC0 <= name <= 0xCF and name not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = (width, height)
        at += 2 + length
        if name == 0xDA:
            at = _after_scan(data, at)


def _after_scan(data: bytes, start: int) -> int:
    """Where the next marker stands after the coded data of a scan (stuffed zeros and restart markers belong to it)."""
    codes = np.frombuffer(data, np.uint8, offset=min(start, len(data)))
    follow = codes[1:][codes[:-1] == 0xFF]
    places = np.flatnonzero(codes[:-1] == 0xFF)
    real = places[(follow != 0) & (follow != 0xFF) & ((follow < 0xD0) | (follow > 0xD7))]
    if real.size == 0:
        raise BadImage("is cut off")
    return start + int(real[0])


def _bmp(data: bytes) -> tuple[int, int]:
    (pixels_at, header_bytes) = struct.unpack_from("<II", data, 10)
    if header_bytes == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        coding = 0
    else:
        width, height, _, bits, coding = struct.unpack_from("<iiHHI", data, 18)
    rows = abs(height)
    if width <= 0:
        raise BadImage("is damaged (its width is not positive)")
    if coding in (0, 3) and len(data) < pixels_at + rows * ((width * bits + 31) // 32 * 4):
        raise BadImage("is cut off")
    return width, rows


def _tiff(data: bytes) -> tuple[int, int]:
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, at)
    tags = {}
    for index in range(entries):
        tag, kind, count, _ = struct.unpack_from(order + "HHI4s", data, at + 2 + 12 * index)
        if tag in (256, 257, 273, 279, 324, 325):
            tags[tag] = _tiff_values(data, order, kind, count, at + 10 + 12 * index)
    places, lengths = tags.get(273) or tags.get(324), tags.get(279) or tags.get(325)
    if 256 not in tags or 257 not in tags or not places or not lengths or len(places) != len(lengths):
        raise BadImage("is damaged (its TIFF directory is not complete)")
    if any(place + length > len(data) for place, length in zip(places, lengths, strict=True)):
        raise BadImage("is cut off")
    return tags[256][0], tags[257][0]


def _tiff_values(data: bytes, order: str, kind: int, count: int, at: int) -> tuple[int, ...]:
    letter = {3: "H", 4: "I"}.get(kind)
    if letter is None or count < 1 or count > len(data):
        raise BadImage("is damaged (its TIFF directory makes no sense)")
    if struct.calcsize(letter) * count > 4:
        (at,) = struct.unpack_from(order + "I", data, at)
    return struct.unpack_from(f"{order}{count}{letter}", data, at)
