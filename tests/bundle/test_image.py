from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from edge.bundle.image import decode_png, encode_png
from edge.errors import BundleError

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def png(array: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", array)[1])


def with_size(data: bytes, width: int, height: int, interlace: int = 0) -> bytes:
    header = b"IHDR" + struct.pack(">II", width, height) + data[24:28] + bytes([interlace])
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


@pytest.mark.parametrize("image", [RGB, RGB[:, :, 0], RGB[::-1, ::2], RGB[:1, :1]])
def test_round_trip_is_lossless(image: np.ndarray) -> None:
    decoded = decode_png(encode_png(image), "r")
    np.testing.assert_array_equal(decoded, image)
    assert not decoded.flags.writeable


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "is no PNG"),
        (bytes(cv2.imencode(".jpg", RGB)[1]), "is no PNG"),
        (png(RGB.astype(np.uint16)), "16 bits"),
        (png(np.dstack([RGB, RGB[:, :, 0]])), "colour type 6"),
        (with_size(png(RGB), 100_000, 100_000), "at most"),
        (with_size(png(RGB), 9_000, 9_000), "says it is 9000x9000 in"),
        (with_size(png(RGB), 9, 6, interlace=1), r"methods \[0, 0, 1\]"),
        (with_size(png(RGB), 0, 6), "at most"),
        (png(RGB)[:40], "damaged"),
        (png(RGB)[:-12], "damaged"),
        (png(RGB)[:8], "damaged"),
        (with_size(png(RGB), 9, 5), "damaged"),
        (with_size(png(RGB), 9, 7), "damaged"),
    ],
)
def test_other_images_are_refused(data: bytes, named: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BundleError, match=named):
        decode_png(data, "r")
    assert capfd.readouterr() == ("", "")


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_forged_rows_with_right_checksums_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    whole = png(RGB)
    for rows in (b"\x05" + bytes(27), bytes(28 * 6 + 1), bytes(28 * 5), b""):
        data = whole[:33] + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        with pytest.raises(BundleError, match="damaged"):
            decode_png(data, "r")
    bad_filter = b"".join(bytes([5 if row == 3 else 0]) + bytes(27) for row in range(6))
    with pytest.raises(BundleError, match="damaged"):
        decode_png(whole[:33] + chunk(b"IDAT", zlib.compress(bad_filter)) + chunk(b"IEND", b""), "r")
    assert capfd.readouterr() == ("", "")


def test_remarks_in_a_png_are_skipped() -> None:
    whole = png(RGB)
    remarked = whole[:33] + chunk(b"tEXt", b"Comment\0hello") + whole[33:]
    np.testing.assert_array_equal(decode_png(remarked, "r"), cv2.cvtColor(RGB, cv2.COLOR_BGR2RGB))
