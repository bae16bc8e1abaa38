"""Against packers of our own, written bit by bit from the standard."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from edge.cameras.pixel_formats import FORMATS, ImageLayout, PixelFormat, decode, format_coded, format_named
from edge.errors import CameraRefused, FrameError

MONO = [item for item in FORMATS.values() if item.colour == "Mono"]
BAYER = [item for item in FORMATS.values() if item.colour.startswith("Bayer")]
COLOUR = [item for item in FORMATS.values() if item.colour in ("RGB", "BGR", "RGBa", "BGRa")]
YUV = [item for item in FORMATS.values() if item.colour in ("YUYV", "UYVY")]


def bits_of(item: PixelFormat) -> int:
    return int(item.packing.removesuffix("Packed").removesuffix("p"))


def pack_line(samples: list[int], packing: str) -> bytes:
    if packing == "8":
        return bytes(samples)
    if packing in ("10", "12"):
        return b"".join(value.to_bytes(2, "little") for value in samples)
    if packing in ("10p", "12p"):
        bits = int(packing[:2])
        stream = "".join(f"{value:0{bits}b}"[::-1] for value in samples)  # lowest bit first
        return bytes(int(stream[at : at + 8][::-1], 2) for at in range(0, len(stream), 8))
    low = int(packing[:2]) - 8
    pairs = zip(samples[0::2], samples[1::2], strict=True)
    return b"".join(
        bytes([first >> low, (first & (1 << low) - 1) | (second & (1 << low) - 1) << 4, second >> low])
        for first, second in pairs
    )


def buffer_of(lines: list[bytes], padding: int, offset: int) -> bytes:
    return b"\xee" * offset + (b"\xdd" * padding).join(lines)


@st.composite
def mosaics(draw, formats: list[PixelFormat], smallest: int):
    item = draw(st.sampled_from(formats))
    groups = st.integers(-(-smallest // item.group_pixels), 6)
    shape = (draw(st.integers(smallest, 6)), draw(groups) * item.group_pixels)
    samples = draw(npst.arrays(np.uint16, shape, elements=st.integers(0, 2 ** bits_of(item) - 1)))
    padding, offset = draw(st.integers(0, 7)), draw(st.integers(0, 5))
    data = buffer_of([pack_line(line.tolist(), item.packing) for line in samples], padding, offset)
    return ImageLayout(item, shape[1], shape[0], padding, offset), samples, data


@given(mosaics(MONO, 1))
def test_mono_keeps_the_highest_eight_bits(case) -> None:
    layout, samples, data = case
    assert len(data) == layout.end_bytes
    image = decode(data, layout)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, samples >> (bits_of(layout.format) - 8))


@given(mosaics(BAYER, 3))
def test_bayer_of_every_packing_is_the_bayer_of_its_high_bits(case) -> None:
    layout, samples, data = case
    eight = format_named(layout.format.colour + "8")
    high = (samples >> (bits_of(layout.format) - 8)).astype(np.uint8)
    expected = decode(high.tobytes(), ImageLayout(eight, layout.width, layout.height))
    np.testing.assert_array_equal(decode(data, layout), expected)


@pytest.mark.parametrize("item", BAYER, ids=lambda item: item.name)
def test_bayer_pattern_gives_rgb(item) -> None:
    colour = {"R": 200, "G": 100, "B": 50}
    tile = {"RG": "RGGB", "GR": "GRBG", "GB": "GBRG", "BG": "BGGR"}[item.colour.removeprefix("Bayer")]
    values = np.array([colour[letter] for letter in tile]).reshape(2, 2) << (bits_of(item) - 8)
    data = buffer_of([pack_line(line.tolist(), item.packing) for line in np.tile(values, (4, 6))], 0, 0)
    image = decode(data, ImageLayout(item, 12, 8))
    assert (image == (200, 100, 50)).all()


@pytest.mark.parametrize("item", BAYER[::7], ids=lambda item: item.name)
def test_bayer_keeps_a_scene_in_its_place(item) -> None:
    y, x = np.mgrid[0:40, 0:60]
    scene = np.stack([3 * x + 20, 4 * y + 30, 2 * x + y + 10], axis=2).astype(np.uint8)
    letters = item.colour.removeprefix("Bayer")
    tile = np.array(
        [
            ["RGB".index(c) for c in row]
            for row in {"RG": ("RG", "GB"), "GR": ("GR", "BG"), "GB": ("GB", "RG"), "BG": ("BG", "GR")}[letters]
        ]
    )
    channel = np.tile(tile, (20, 30))
    mosaic = np.take_along_axis(scene, channel[..., None], axis=2)[..., 0]
    image = decode(mosaic.tobytes(), ImageLayout(item, 60, 40))
    error = np.abs(image[2:-2, 2:-2].astype(int) - scene[2:-2, 2:-2])
    assert error.max() <= 1


@given(
    st.sampled_from(COLOUR),
    npst.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 7), st.just(4))),
    st.integers(0, 7),
    st.integers(0, 5),
)
def test_interleaved_colours_become_rgb(item, rgba, padding, offset) -> None:
    order = ["RGBa".index(letter) for letter in item.colour]
    data = buffer_of([line[:, order].tobytes() for line in rgba], padding, offset)
    layout = ImageLayout(item, rgba.shape[1], rgba.shape[0], padding, offset)
    np.testing.assert_array_equal(decode(data, layout), rgba[..., :3])


@pytest.mark.parametrize("item", YUV, ids=lambda item: item.name)
@pytest.mark.parametrize("rgb", [(255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 60, 40), (30, 180, 90), (20, 40, 220)])
def test_yuv_is_full_range(item, rgb) -> None:
    r, g, b = rgb
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    parts = {"Y": luma, "U": 0.5 * (b - luma) / (1 - 0.114) + 128, "V": 0.5 * (r - luma) / (1 - 0.299) + 128}
    group = bytes(min(255, round(parts[letter])) for letter in item.colour.replace("YUYV", "YUYV"))
    image = decode(buffer_of([group * 3] * 2, 3, 1), ImageLayout(item, 6, 2, 3, 1))
    assert np.abs(image.astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("item", YUV, ids=lambda item: item.name)
def test_yuv_keeps_the_order_of_its_pixels(item) -> None:
    luma = iter(range(10, 250, 10))
    line = bytes(next(luma) if letter == "Y" else 128 for letter in item.colour * 6)
    image = decode(line, ImageLayout(item, 12, 1))
    np.testing.assert_array_equal(image[0, :, 0], range(10, 130, 10))


@pytest.mark.parametrize("item", FORMATS.values(), ids=lambda item: item.name)
def test_decodes_into_the_given_array(item) -> None:
    layout = ImageLayout(item, 8, 4, padding_x_bytes=2)
    data = bytes(layout.end_bytes)
    ring = np.full((3, *layout.shape), 77, np.uint8)
    assert decode(data, layout, ring[1]).base is ring
    assert (ring[0] == 77).all()
    assert (ring[2] == 77).all()
    np.testing.assert_array_equal(ring[1], decode(data, layout))


def test_out_must_fit() -> None:
    layout = ImageLayout(format_named("Mono8"), 8, 4)
    for out in (np.empty((8, 4), np.uint8), np.empty((4, 8), np.uint16), np.empty((4, 16), np.uint8)[:, ::2]):
        with pytest.raises(ValueError, match="out must be"):
            decode(bytes(32), layout, out)


@pytest.mark.parametrize("item", FORMATS.values(), ids=lambda item: item.name)
def test_short_buffer_is_an_invalid_frame(item) -> None:
    layout = ImageLayout(item, 8, 4, padding_x_bytes=2, offset_bytes=3)
    decode(bytes(layout.end_bytes), layout)
    with pytest.raises(FrameError, match=f"needs {layout.end_bytes}"):
        decode(bytes(layout.end_bytes - 1), layout)


@pytest.mark.parametrize(("name", "value"), [("Mono10", 1024), ("Mono12", 4096), ("BayerRG10", 1024)])
def test_samples_beyond_their_bits_are_refused(name, value) -> None:
    data = np.zeros(64, "<u2")
    layout = ImageLayout(format_named(name), 8, 8)
    data[37] = value - 1
    decode(data.tobytes(), layout)
    data[37] = value
    with pytest.raises(CameraRefused, match=f"{name}: samples of more than"):
        decode(data.tobytes(), layout)


@pytest.mark.parametrize(
    ("name", "width", "height", "says"),
    [
        ("Mono10p", 641, 4, "multiple of 4"),
        ("Mono12Packed", 641, 4, "multiple of 2"),
        ("YUV422_8", 5, 5, "multiple of 2"),
        ("BayerRG8", 2, 8, "too small"),
        ("Mono8", 0, 4, "impossible image"),
    ],
)
def test_layouts_that_cannot_be_decoded(name, width, height, says) -> None:
    with pytest.raises(CameraRefused, match=says):
        ImageLayout(format_named(name), width, height)


def test_names_of_gige_vision_1() -> None:
    names = ("RGB8Packed", "BGR8Packed", "RGBA8Packed", "BGRA8Packed", "YUV422Packed", "YUV422_YUYV_Packed")
    codes = (0x02180014, 0x02180015, 0x02200016, 0x02200017, 0x0210001F, 0x02100032)
    assert tuple(format_named(name).code for name in names) == codes


def test_unknown_formats_are_named() -> None:
    with pytest.raises(CameraRefused, match="'Mono16' cannot be decoded: set pixel_format to Mono8"):
        format_named("Mono16")
    with pytest.raises(CameraRefused, match="0x01100007"):
        format_coded(0x01100007)


def test_codes_are_those_of_the_standard() -> None:
    names = pytest.importorskip("harvesters.util.pfnc", reason="harvesters is not installed").dict_by_ints
    assert {code: item.name for code, item in FORMATS.items()} == {code: names[code] for code in FORMATS}
    assert len(FORMATS) == 41
