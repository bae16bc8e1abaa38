"""What buffers may say of themselves and the simulator's never do; exceptions and enumerations are the vendor's own."""

from typing import Any

import pytest

from edge.cameras import buffers
from edge.cameras.features import Features
from edge.cameras.frame_ids import FrameIds
from edge.cameras.pixel_formats import ImageLayout, format_named
from edge.cameras.producers import load_vendor
from edge.errors import CameraRefused, FrameError
from tests.cameras.fake_nodes import FakeNodeMap, IEnumeration, IInteger

pytest.importorskip("harvesters", reason="GenICam support is not installed")
pytest.importorskip("genicam", reason="GenICam support is not installed")
VENDOR = load_vendor()
PAYLOAD = VENDOR.gentl.PAYLOADTYPE_INFO_IDS
NODES = FakeNodeMap(
    Width=IInteger(8),
    Height=IInteger(4),
    PixelFormat=IEnumeration("Mono8", "Mono8"),
    GevTimestampTickFrequency=IInteger(125_000_000),
)
FEATURES = Features(NODES, "camera", VENDOR.errors)


class Buffer:
    """Knows what it is given and answers NotAvailable to all else, as producers do."""

    def __init__(self, **known: Any) -> None:
        self.__dict__.update({"payload_type": PAYLOAD.PAYLOAD_TYPE_IMAGE, "raw_buffer": bytes(999), **known})

    def __getattr__(self, name: str) -> Any:
        raise VENDOR.gentl.NotAvailableException(name)


def layout_of(**known: Any) -> ImageLayout:
    return buffers.layout_of(Buffer(**known), VENDOR, FEATURES)


def test_buffer_that_knows_everything() -> None:
    layout = layout_of(
        pixel_format=format_named("Mono12").code,
        width=6,
        height=5,
        padding_x=4,
        image_offset=10,
        delivered_image_height=5,
        size_filled=86,
        pixel_endianness=1,
    )
    assert (layout.shape, layout.stride_bytes, layout.offset_bytes) == ((5, 6), 16, 10)


def test_what_a_buffer_does_not_say_the_features_do() -> None:
    layout = layout_of()
    assert (layout.format.name, layout.shape) == ("Mono8", (4, 8))


def test_frame_id() -> None:
    assert buffers.frame_id(Buffer(frame_id=77), VENDOR) == 77
    assert buffers.frame_id(Buffer(), VENDOR) is None


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ({"delivered_image_height": 3}, "3 of 4 lines arrived"),
        ({"size_filled": 31}, "31 of 32 bytes arrived"),
        ({"size_filled": 40, "padding_x": 3}, "40 of 41 bytes arrived"),
    ],
)
def test_what_is_not_whole_is_an_invalid_frame(known, says) -> None:
    with pytest.raises(FrameError, match=says):
        layout_of(**known)


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ({"payload_type": PAYLOAD.PAYLOAD_TYPE_JPEG}, "it sends JPEG payloads"),
        ({"payload_type": PAYLOAD.PAYLOAD_TYPE_GENDC}, "GENDC"),
        ({"pixel_format": 0x01100007}, "0x01100007 cannot be decoded"),
        ({"pixel_format": format_named("BayerRG12").code, "pixel_endianness": 2}, "high byte first"),
        ({"pixel_format": format_named("Mono10p").code, "width": 10}, "multiple of 4"),
    ],
)
def test_what_cannot_be_decoded_is_refused(known, says) -> None:
    with pytest.raises(CameraRefused, match=says):
        layout_of(**known)


def part(name: str, **known: Any) -> Buffer:
    return Buffer(
        **{"data_format": format_named(name).code, "width": 6, "height": 4, "data_offset": 100, "data_size": 24, **known}
    )


def test_first_component_that_is_an_image() -> None:
    parts = [Buffer(data_format=0x026000C3), part("Mono8", width=6), part("RGB8")]
    layout = layout_of(payload_type=PAYLOAD.PAYLOAD_TYPE_MULTI_PART, parts=parts)
    assert (layout.format.name, layout.shape, layout.offset_bytes) == ("Mono8", (4, 6), 100)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([Buffer(data_format=0x026000C3)], r"none is an image that can be decoded \(0x026000C3\)"),
        ([part("Mono8", data_size=32)], "has 32 bytes, 24 were expected"),
    ],
)
def test_components_that_cannot_be_decoded(parts, says) -> None:
    with pytest.raises(CameraRefused, match=says):
        layout_of(payload_type=PAYLOAD.PAYLOAD_TYPE_MULTI_PART, parts=parts)


@pytest.mark.parametrize(
    ("known", "ticks_hz", "expected"),
    [
        ({"timestamp_ns": 1_234}, 0, 1_234),
        ({"timestamp_ns": 0, "timestamp": 5}, 1_000, None),
        ({"timestamp": 250}, 125_000_000, 2_000),
        ({"timestamp": 2**62}, 125_000_000, 2**62 * 8),
        ({"timestamp": 250}, 0, None),
        ({"timestamp": 0}, 125_000_000, None),
        ({}, 125_000_000, None),
    ],
)
def test_device_clock_in_nanoseconds_or_none(known, ticks_hz, expected) -> None:
    assert buffers.timestamp_ns(Buffer(**known), ticks_hz, VENDOR.errors) == expected


def test_tick_frequency_of_device_or_camera() -> None:
    silent = Features(FakeNodeMap(), "camera", VENDOR.errors)
    assert buffers.tick_frequency(Buffer(timestamp_frequency=10**9), silent, VENDOR.errors) == 10**9
    assert buffers.tick_frequency(Buffer(), FEATURES, VENDOR.errors) == 125_000_000
    assert buffers.tick_frequency(Buffer(timestamp_frequency=0), silent, VENDOR.errors) == 0


@pytest.mark.parametrize("count", [0, 2])
def test_one_stream_is_needed(count) -> None:
    with pytest.raises(CameraRefused, match=f'camera "1": it has {count} data streams'):
        buffers.only_stream([object()] * count, 'camera "1"')


@pytest.mark.parametrize(
    ("gige", "ids", "missing"),
    [
        (False, [0, 1, 2, 5, 6], [0, 0, 0, 2, 0]),
        (False, [900, 901], [0, 0]),
        (False, [70_000, 3, 5], [0, 0, 1]),
        (False, [65_535, 1], [0, 0]),
        (False, [7, 7, 8], [0, 0, 0]),
        (True, [65_534, 65_535, 1, 2], [0, 0, 0, 0]),
        (True, [65_534, 2, 4], [0, 2, 1]),
        (True, [65_535, 0, 1], [0, 0, 0]),
        (True, [500, 1, 2], [0, 0, 0]),
        (True, [65_535, 65_536, 65_537, 65_540, 1], [0, 0, 0, 2, 0]),
    ],
)
def test_gaps_in_frame_ids(gige, ids, missing) -> None:
    subject = FrameIds(gige=gige)
    assert [subject.missing_before(item) for item in ids] == missing
