"""The image reader: what it accepts, and what it must never let through."""

from __future__ import annotations

import contextlib
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.cameras.image_headers import BadImage, read_header
from edge.cameras.images import read_image
from edge.errors import FrameError
from tests.cameras.making import numbered

LOSSLESS = (".png", ".bmp", ".tif", ".tiff")
ALL = (*LOSSLESS, ".jpg", ".jpeg")


def saved(path: Path, image: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 and image.shape[2] == 3 else image)
    return path


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_lossless_files_come_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    image = read_image(saved(tmp_path / f"a{suffix}", numbered(3)))
    np.testing.assert_array_equal(image, numbered(3))
    assert not image.flags.writeable
    assert image.flags.c_contiguous
    grey = read_image(saved(tmp_path / f"b{suffix}", numbered(3)[..., 0]))
    np.testing.assert_array_equal(grey, numbered(3)[..., 0])


def test_jpeg_is_rgb(tmp_path: Path) -> None:
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 0] = 200
    image = read_image(saved(tmp_path / "a.jpg", red))
    assert image[20, 30, 0] > 180
    assert image[20, 30, 2] < 30


@pytest.mark.parametrize("suffix", ALL)
def test_one_pixel_is_an_image(tmp_path: Path, suffix: str) -> None:
    assert read_image(saved(tmp_path / f"a{suffix}", numbered(3, (1, 1)))).shape == (1, 1, 3)


@pytest.mark.parametrize("suffix", ALL)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 0.97])
def test_a_file_that_was_cut_off_is_refused(
    tmp_path: Path, suffix: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path / f"a{suffix}", numbered(3, (200, 150)))
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(FrameError) as caught:
        read_image(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_hole_in_the_middle_is_refused(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / f"a{suffix}", numbered(3, (200, 150)))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    path.write_bytes(data)
    with pytest.raises(FrameError, match="damaged"):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_a_jpeg_with_a_thumbnail_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    """The thumbnail has an end marker of its own, which must not count as the picture's."""
    small, large = (saved(tmp_path / f"{n}.jpg", numbered(n, (32 * n, 32 * n))).read_bytes() for n in (1, 4))
    part = b"\xff\xe1" + struct.pack(">H", len(small) + 2) + small
    whole = large[:2] + part + large[2:]
    path = tmp_path / "a.jpg"
    path.write_bytes(whole)
    assert read_image(path).shape == (128, 128, 3)
    path.write_bytes(whole[:-400])
    with pytest.raises(FrameError, match="cut off"):
        read_image(path)


def test_sixteen_bits_are_never_guessed(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", np.array([[0, 16, 4095]], np.uint16))
    with pytest.raises(FrameError, match="16 bits where 8 are expected"):
        read_image(path)
    assert read_image(path, 12).tolist() == [[0, 1, 255]]
    assert read_image(path, 16).tolist() == [[0, 0, 15]]
    with pytest.raises(FrameError, match="holds 4095"):
        read_image(path, 10)
    with pytest.raises(FrameError, match="has 8 bits, bit_depth says 12"):
        read_image(saved(tmp_path / "b.png", numbered(1)), 12)


def test_sixteen_bit_tiff_in_colour(tmp_path: Path) -> None:
    wide = numbered(2).astype(np.uint16) << 8
    np.testing.assert_array_equal(read_image(saved(tmp_path / "a.tif", wide), 16), numbered(2))


def test_other_pixel_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="float32"):
        read_image(saved(tmp_path / "a.tif", np.zeros((4, 4), np.float32)))


def test_alpha_is_dropped_only_where_it_hides_nothing(tmp_path: Path) -> None:
    opaque = np.dstack([numbered(3)[..., ::-1], np.full((48, 64), 255, np.uint8)])
    np.testing.assert_array_equal(read_image(saved(tmp_path / "a.png", opaque)), numbered(3))
    opaque[0, 0, 3] = 254
    with pytest.raises(FrameError, match="transparent"):
        read_image(saved(tmp_path / "a.png", opaque))


def test_orientation_tags_are_ignored(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", numbered(3, (64, 48)))
    tag = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(tag) + 2) + tag + data[2:])
    assert read_image(path).shape == (48, 64, 3)


def png_of_size(width: int, height: int) -> bytes:
    def part(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(b"")) + part(b"IEND", b"")


@pytest.mark.parametrize("size", [(60_000, 60_000), (0, 10), (2**31 - 1, 1)])
def test_absurd_sizes_are_refused_before_decoding(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_of_size(*size))
    with pytest.raises(FrameError, match=f"is {size[0]}x{size[1]}"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"hello", "no png, jpeg, bmp or tiff"), (b"GIF89a" + bytes(40), "no png"), (b"BM", "cut off")],
)
def test_what_is_no_image_says_so(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(FrameError, match=words):
        read_image(path)


def test_missing_files_and_folders_say_so(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="file not found"):
        read_image(tmp_path / "none.png")
    with pytest.raises(FrameError, match="cannot be read"):
        read_image(tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from((".png", ".jpg", ".bmp", ".tif")), seed=st.integers(0, 10**6), count=st.integers(1, 20))
def test_no_damage_is_more_than_a_frame_error(tmp_path: Path, suffix: str, seed: int, count: int) -> None:
    path = saved(tmp_path / f"a{suffix}", numbered(3, (40, 30)))
    data = bytearray(path.read_bytes())
    dice = np.random.default_rng(seed)
    for place in dice.integers(0, len(data), count):
        data[place] = dice.integers(256)
    path.write_bytes(data)
    try:
        assert read_image(path).dtype == np.uint8
    except FrameError as error:
        assert error.where == str(path)


@given(st.binary(max_size=300), st.sampled_from((b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"BM", b"II*\0", b"MM\0*")))
def test_headers_of_rubbish_are_bad_images(content: bytes, start: bytes) -> None:
    with contextlib.suppress(BadImage):
        assert min(read_header(start + content).size_wh) >= 0
