"""What a GenTL buffer says of itself, read while it is ours: after it is queued again it says nothing.

Raw GenTL buffers are read, not harvesters' components: those keep the padding of padded lines, and fail on unknown formats.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edge.cameras.features import Features
from edge.cameras.pixel_formats import FORMATS, ImageLayout, format_coded, format_named
from edge.cameras.producers import Vendor
from edge.errors import CameraRefused, FrameError

_IMAGE = ("PAYLOAD_TYPE_IMAGE", "PAYLOAD_TYPE_CHUNK_DATA", "PAYLOAD_TYPE_UNKNOWN")
_LOAD = "check the network or USB load of this box"
_MULTI_PART = "PAYLOAD_TYPE_MULTI_PART"


def frame_id(raw: Any, vendor: Vendor) -> int | None:
    """The camera's number of this frame; None if it gives none."""
    return _info(raw, "frame_id", vendor)


def layout_of(raw: Any, vendor: Vendor, features: Features) -> ImageLayout:
    """Where the image lies in raw.raw_buffer.

    CameraRefused if the buffer holds no image that lineclear can decode, FrameError if the image is not whole.
    """
    kind = vendor.gentl.PAYLOADTYPE_INFO_IDS(raw.payload_type).name
    if kind == _MULTI_PART:
        part = _image_part(raw)
        layout, height, end = _part_layout(part), _info(part, "delivered_image_height", vendor), None
    elif kind in _IMAGE:
        layout, height = _layout(raw, vendor, features), _info(raw, "delivered_image_height", vendor)
        end = _info(raw, "size_filled", vendor)
    else:
        raise CameraRefused(
            f"it sends {kind.removeprefix('PAYLOAD_TYPE_')} payloads, not images", remedy="turn compression and GenDC off"
        )
    if height and height < layout.height:
        raise FrameError(f"{height} of {layout.height} lines arrived", remedy=_LOAD)
    if end and end < layout.end_bytes:
        raise FrameError(f"{end} of {layout.end_bytes} bytes arrived", remedy=_LOAD)
    return layout


def timestamp_ns(raw: Any, ticks_hz: int, errors: tuple[type[Exception], ...]) -> int | None:
    """The device's own clock in ns; None where it has none (0 means none), or ticks of an unknown length."""
    try:
        return int(raw.timestamp_ns) or None
    except errors:
        pass
    try:
        ticks = int(raw.timestamp)
    except errors:
        return None
    return ticks * 1_000_000_000 // ticks_hz if ticks and ticks_hz else None


def tick_frequency(device: Any, features: Features, errors: tuple[type[Exception], ...]) -> int:
    """Ticks per second of the device's clock; 0 if unknown."""
    try:
        if frequency := int(device.timestamp_frequency):
            return frequency
    except errors:
        pass
    value = features.read("GevTimestampTickFrequency")
    return value if isinstance(value, int) and value > 0 else 0


def only_stream(streams: Any, where: str) -> Any:
    """The one data stream of the camera; CameraRefused if it has none or several."""
    if len(streams) != 1:
        raise CameraRefused(f"it has {len(streams)} data streams; one is needed", where=where, remedy="use another camera")
    return streams[0]


@contextmanager
def named(where: str) -> Iterator[None]:
    """Add the camera's name to an error that does not know it."""
    try:
        yield
    except (CameraRefused, FrameError) as error:
        if error.where:
            raise
        raise type(error)(error.message, where=where, remedy=error.remedy) from error


def _image_part(raw: Any) -> Any:
    # By format and not by part.data_type: genicam 1.6 returns that as an unusable pointer, and leaks it.
    codes = []
    for part in raw.parts:
        codes.append(int(part.data_format))
        if codes[-1] in FORMATS:
            return part
    listed = ", ".join(f"0x{code:08X}" for code in codes)
    raise CameraRefused(
        f"it sends several components and none is an image that can be decoded ({listed})",
        remedy="enable the Intensity component",
    )


def _part_layout(part: Any) -> ImageLayout:
    layout = ImageLayout(format_coded(part.data_format), part.width, part.height, 0, part.data_offset)
    if layout.end_bytes - layout.offset_bytes != part.data_size:
        raise CameraRefused(
            f"its image component has {part.data_size} bytes, {layout.end_bytes - layout.offset_bytes} were expected",
            remedy="turn line padding off, or send one component only",
        )
    return layout


def _layout(raw: Any, vendor: Vendor, features: Features) -> ImageLayout:
    code = _info(raw, "pixel_format", vendor)
    pixel_format = format_coded(code) if code is not None else format_named(str(features.read("PixelFormat")))
    if pixel_format.packing in ("10", "12") and _info(raw, "pixel_endianness", vendor) == 2:
        raise CameraRefused(f"it sends {pixel_format.name} with the high byte first", remedy="set pixel_format to 8 bit")
    size = [_info(raw, name, vendor) or features.read(node) for name, node in (("width", "Width"), ("height", "Height"))]
    if not all(isinstance(value, int) for value in size):
        raise CameraRefused("neither its frames nor its features tell the image size", remedy="use another producer")
    offset = _info(raw, "image_offset", vendor) or 0
    return ImageLayout(pixel_format, int(size[0] or 0), int(size[1] or 0), _info(raw, "padding_x", vendor) or 0, offset)


def _info(source: Any, name: str, vendor: Vendor) -> int | None:
    # A producer need not know everything: what it does not know is None, what fails otherwise is the caller's to judge.
    gentl = vendor.gentl
    try:
        value = getattr(source, name)
    except (gentl.NotAvailableException, gentl.NotImplementedException, gentl.InvalidParameterException):
        return None
    return None if value is None else int(value)
