"""The bundle's optional `reference.png`: 8-bit, grey or RGB, nothing else.

libpng writes to standard error, takes seconds over some damaged files and gives half of others as if it were whole. So
the structure is proven here, checksums included, and libpng is given only what it cannot fail on.
"""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np

from edge.errors import BundleError
from edge.types import ImageU8

MAX_PIXELS = 200_000_000
# Deflate cannot do better: memory is not taken for a header that claims more.
MAX_DEFLATE_RATIO = 1032
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3}
_LAST_FILTER = 4
_MAX_CHUNKS = 100_000


def encode_png(image: ImageU8) -> bytes:
    """PNG of a uint8 HxW or HxWx3 RGB image; lossless. BundleError for other arrays."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or not image.size:
        raise BundleError(f"the reference is {image.dtype} {list(image.shape)}", remedy="give uint8 HxW or HxWx3 RGB")
    done, buffer = cv2.imencode(".png", image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise BundleError("the reference cannot be encoded as PNG", remedy="give a smaller image")
    return bytes(buffer)


def decode_png(data: bytes, where: str) -> ImageU8:
    """Read-only uint8 HxW or HxWx3 RGB. BundleError: no PNG, not 8-bit grey or RGB, too large, damaged."""
    chunks = _chunks(data, where)
    header = chunks[0][1] if chunks and chunks[0][0] == b"IHDR" else b""
    if len(header) != 13:
        raise _refused("is no PNG", where)
    width, height, depth, colour, *methods = struct.unpack(">IIBBBBB", header)
    if depth != 8 or colour not in _CHANNELS or methods != [0, 0, 0]:
        raise _refused(f"has {depth} bits, PNG colour type {colour}, methods {methods}; 8-bit grey or RGB only", where)
    stride = width * _CHANNELS[colour] + 1
    if not 0 < width * height <= MAX_PIXELS or stride * height > MAX_DEFLATE_RATIO * len(data):
        raise _refused(f"says it is {width}x{height} in {len(data)} bytes; at most {MAX_PIXELS} pixels", where)
    packed = b"".join(content for kind, content in chunks if kind == b"IDAT")
    _check_rows(packed, stride, height, where)
    plain = _SIGNATURE + b"".join(_chunk(*part) for part in ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")))
    image = cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_GRAYSCALE if colour == 0 else cv2.IMREAD_COLOR)
    if image is None or image.shape[:2] != (height, width):
        raise _refused("is a damaged PNG", where)
    decoded = np.ascontiguousarray(image if colour == 0 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
    decoded.flags.writeable = False
    return decoded


def _chunks(data: bytes, where: str) -> list[tuple[bytes, bytes]]:
    """Kind and content of every critical chunk up to IEND, checksums verified."""
    if not data.startswith(_SIGNATURE):
        raise _refused("is no PNG", where)
    found: list[tuple[bytes, bytes]] = []
    at = len(_SIGNATURE)
    while not found or found[-1][0] != b"IEND":
        size, kind = struct.unpack(">I4s", data[at : at + 8]) if at + 8 <= len(data) else (len(data), b"")
        content = data[at + 8 : at + 8 + size]
        if len(found) > _MAX_CHUNKS or len(content) != size or data[at : at + 12 + size] != _chunk(kind, content):
            raise _refused("is a damaged PNG", where)
        if kind in (b"IHDR", b"IDAT", b"IEND"):
            found.append((kind, content))
        at += 12 + size
    return found


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _check_rows(packed: bytes, stride: int, height: int, where: str) -> None:
    """BundleError unless the packed data is exactly the rows of the header, each with a filter that there is."""
    unpacker = zlib.decompressobj()
    try:
        rows = unpacker.decompress(packed, stride * height + 1)
    except zlib.error as error:
        raise _refused(f"is a damaged PNG ({error})", where) from None
    if len(rows) != stride * height or not unpacker.eof or max(rows[::stride]) > _LAST_FILTER:
        raise _refused("is a damaged PNG", where)


def _refused(problem: str, where: str) -> BundleError:
    return BundleError(problem, where=where, remedy="export the bundle again")
