"""Pixel formats of the PFNC standard, decoded to what the station judges: uint8 HxW mono or HxWx3 RGB.

10 and 12 bit samples lose their 2 or 4 lowest bits (a shift, no rounding, no stretch): the same light always gives the
same number. Bayer mosaics are interpolated bilinearly (OpenCV). YUV is full range (Y 0..255, BT.601 weights), as camera
vendors document it. A format that is not in the table is refused by name; nothing is deduced from the data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import CameraRefused, FrameError
from edge.types import ImageU8

_ADVICE = "set pixel_format to Mono8, BayerRG8 (or GR, GB, BG) or RGB8"
_SMALLEST_MOSAIC = 3


@dataclass(frozen=True)
class PixelFormat:
    """One PFNC format. `group_pixels` neighbours of a line share `group_bytes` bytes, and a line holds whole groups."""

    name: str
    code: int
    group_pixels: int
    group_bytes: int
    packing: str
    colour: str

    @property
    def is_colour(self) -> bool:
        """True if the decoded image is HxWx3 RGB, False for HxW."""
        return self.colour != "Mono"


@dataclass(frozen=True)
class ImageLayout:
    """Where an image lies in a buffer. padding_x_bytes: after each line; offset_bytes: before the first line.

    CameraRefused for a width that is not a whole number of the format's pixel groups, for where the next line then
    starts differs between vendors, and for a Bayer mosaic too small to be interpolated.
    """

    format: PixelFormat
    width: int
    height: int
    padding_x_bytes: int = 0
    offset_bytes: int = 0

    def __post_init__(self) -> None:
        group = self.format.group_pixels
        shown = f"{self.format.name} {self.width}x{self.height}"
        if self.width < 1 or self.height < 1 or self.padding_x_bytes < 0 or self.offset_bytes < 0:
            raise CameraRefused(f"the camera announces an impossible image ({shown})", remedy="set size_wh")
        if self.width % group:
            raise CameraRefused(
                f"{shown}: the width of this format must be a multiple of {group}", remedy="change size_wh or pixel_format"
            )
        if self.format.colour.startswith("Bayer") and min(self.width, self.height) < _SMALLEST_MOSAIC:
            raise CameraRefused(f"{shown}: too small for a Bayer mosaic", remedy="change size_wh")

    @property
    def line_bytes(self) -> int:
        """Bytes of one line without padding."""
        return self.width // self.format.group_pixels * self.format.group_bytes

    @property
    def stride_bytes(self) -> int:
        """Bytes from one line to the next."""
        return self.line_bytes + self.padding_x_bytes

    @property
    def end_bytes(self) -> int:
        """Bytes that the buffer must hold; the padding after the last line may be missing."""
        return self.offset_bytes + (self.height - 1) * self.stride_bytes + self.line_bytes

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the decoded image."""
        return (self.height, self.width, 3) if self.format.is_colour else (self.height, self.width)


def _table() -> dict[int, PixelFormat]:
    # Codes are those of PFNC 2.x; name = colour + packing. Packing: pixels and bytes of a group.
    packings = {"8": (1, 1), "10": (1, 2), "12": (1, 2), "10p": (4, 5), "12p": (2, 3), "10Packed": (2, 3), "12Packed": (2, 3)}
    codes = {
        "Mono": (0x01080001, 0x01100003, 0x01100005, 0x010A0046, 0x010C0047, 0x010C0004, 0x010C0006),
        "BayerGR": (0x01080008, 0x0110000C, 0x01100010, 0x010A0056, 0x010C0057, 0x010C0026, 0x010C002A),
        "BayerRG": (0x01080009, 0x0110000D, 0x01100011, 0x010A0058, 0x010C0059, 0x010C0027, 0x010C002B),
        "BayerGB": (0x0108000A, 0x0110000E, 0x01100012, 0x010A0054, 0x010C0055, 0x010C0028, 0x010C002C),
        "BayerBG": (0x0108000B, 0x0110000F, 0x01100013, 0x010A0052, 0x010C0053, 0x010C0029, 0x010C002D),
    }
    formats = [
        PixelFormat(colour + packing, code, *packings[packing], packing, colour)
        for colour, row in codes.items()
        for packing, code in zip(packings, row, strict=True)
    ]
    formats += [
        PixelFormat("RGB8", 0x02180014, 1, 3, "8", "RGB"),
        PixelFormat("BGR8", 0x02180015, 1, 3, "8", "BGR"),
        PixelFormat("RGBa8", 0x02200016, 1, 4, "8", "RGBa"),
        PixelFormat("BGRa8", 0x02200017, 1, 4, "8", "BGRa"),
        PixelFormat("YUV422_8_UYVY", 0x0210001F, 2, 4, "8", "UYVY"),
        PixelFormat("YUV422_8", 0x02100032, 2, 4, "8", "YUYV"),
    ]
    return {item.code: item for item in formats}


FORMATS = _table()
_BY_NAME = {item.name: item for item in FORMATS.values()}
# The words of GigE Vision 1.x for the same codes.
_OLD_NAMES = {
    "RGB8Packed": "RGB8",
    "BGR8Packed": "BGR8",
    "RGBA8Packed": "RGBa8",
    "BGRA8Packed": "BGRa8",
    "YUV422Packed": "YUV422_8_UYVY",
    "YUV422_YUYV_Packed": "YUV422_8",
}


def format_named(name: str) -> PixelFormat:
    """The format of that PFNC (or GigE Vision 1.x) name; CameraRefused if lineclear cannot decode it."""
    try:
        return _BY_NAME[_OLD_NAMES.get(name, name)]
    except KeyError:
        raise CameraRefused(f"pixel format {name!r} cannot be decoded", remedy=_ADVICE) from None


def format_coded(code: int) -> PixelFormat:
    """The format of that PFNC code; CameraRefused if lineclear cannot decode it."""
    try:
        return FORMATS[code]
    except KeyError:
        raise CameraRefused(f"pixel format 0x{code:08X} cannot be decoded", remedy=_ADVICE) from None


def decode(data: Any, layout: ImageLayout, out: ImageU8 | None = None) -> ImageU8:
    """The image in the buffer `data` (bytes, memoryview, uint8 array) as uint8, RGB or mono; the one copy of a frame.

    out: C-contiguous uint8 of layout.shape to decode into, which is then returned; None: a new array. FrameError: the
    buffer is too short. CameraRefused: 16 bit words that hold more bits than the format has.
    """
    held = memoryview(data).nbytes
    if held < layout.end_bytes:
        raise FrameError(f"the buffer holds {held} bytes, the image needs {layout.end_bytes}")
    if out is None:
        out = np.empty(layout.shape, np.uint8)
    elif out.shape != layout.shape or out.dtype != np.uint8 or not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError(f"out must be a writable C-contiguous uint8 array of shape {layout.shape}")
    colour = layout.format.colour
    if colour == "Mono":
        _UNPACK[layout.format.packing](data, layout, out)
    elif colour in _BAYER:
        _convert(_mosaic(data, layout), _BAYER[colour], out)
    elif colour == "RGB":
        np.copyto(out, _groups(data, layout))
    elif colour in _SWAP:
        _convert(_groups(data, layout), _SWAP[colour], out)
    else:
        _convert(_ycrcb(data, layout), cv2.COLOR_YCrCb2RGB, out)
    return out


# GenICam names a mosaic by its first two pixels, OpenCV by the second and third of its second line: RG is OpenCV's BG.
_BAYER = {
    "BayerRG": cv2.COLOR_BayerBG2RGB,
    "BayerGR": cv2.COLOR_BayerGB2RGB,
    "BayerGB": cv2.COLOR_BayerGR2RGB,
    "BayerBG": cv2.COLOR_BayerRG2RGB,
}
_SWAP = {"BGR": cv2.COLOR_BGR2RGB, "RGBa": cv2.COLOR_RGBA2RGB, "BGRa": cv2.COLOR_BGRA2RGB}
_YUV_PLACES = {"YUYV": (0, 2, 1, 3), "UYVY": (1, 3, 0, 2)}  # first Y, second Y, U, V


def _convert(source: NDArray[np.uint8], code: int, out: ImageU8) -> None:
    result = cv2.cvtColor(source, code, dst=out)
    if result is not out:
        np.copyto(out, result)


def _groups(data: Any, layout: ImageLayout) -> NDArray[np.uint8]:
    # A view HxGxB of the buffer's pixel groups, padding skipped.
    size = layout.format.group_bytes
    shape = (layout.height, layout.width // layout.format.group_pixels, size)
    strides = (layout.stride_bytes, size, 1)
    groups: NDArray[np.uint8] = np.ndarray(shape, np.uint8, data, layout.offset_bytes, strides)
    return groups


def _mosaic(data: Any, layout: ImageLayout) -> NDArray[np.uint8]:
    if layout.format.packing == "8":
        return _groups(data, layout).reshape(layout.height, layout.width)
    mosaic = np.empty((layout.height, layout.width), np.uint8)
    _UNPACK[layout.format.packing](data, layout, mosaic)
    return mosaic


def _ycrcb(data: Any, layout: ImageLayout) -> NDArray[np.uint8]:
    # OpenCV's own 4:2:2 conversions assume video range (Y 16..235); cameras send full range, as its YCrCb code expects.
    first, second, u, v = _YUV_PLACES[layout.format.colour]
    groups = _groups(data, layout)
    pairs = np.empty((layout.height, layout.width // 2, 6), np.uint8)
    cv2.mixChannels([groups], [pairs], [first, 0, v, 1, u, 2, second, 3, v, 4, u, 5])
    return pairs.reshape(layout.height, layout.width, 3)


def _unpack_8(data: Any, layout: ImageLayout, out: ImageU8) -> None:
    np.copyto(out, _groups(data, layout)[..., 0])


def _unpack_words(data: Any, layout: ImageLayout, out: ImageU8) -> None:
    bits = int(layout.format.packing)
    shape, strides = (layout.height, layout.width), (layout.stride_bytes, 2)
    words = np.ndarray(shape, np.dtype("<u2"), data, layout.offset_bytes, strides)
    if int(words.max()) >> bits:
        raise CameraRefused(
            f"{layout.format.name}: samples of more than {bits} bits (up to {int(words.max())})",
            remedy="the camera does not follow the standard here: set pixel_format to the 8 bit format",
        )
    np.right_shift(words, bits - 8, out=out, casting="unsafe")


def _unpack_10p(data: Any, layout: ImageLayout, out: ImageU8) -> None:
    # Four samples in five bytes, lowest bits first; kept are bits 9..2 of each.
    b0, b1, b2, b3, b4 = np.moveaxis(_groups(data, layout), 2, 0)
    out[:, 0::4] = (b0 >> 2) | (b1 << 6)
    out[:, 1::4] = (b1 >> 4) | (b2 << 4)
    out[:, 2::4] = (b2 >> 6) | (b3 << 2)
    out[:, 3::4] = b4


def _unpack_12p(data: Any, layout: ImageLayout, out: ImageU8) -> None:
    # Two samples in three bytes, lowest bits first; kept are bits 11..4 of each.
    groups = _groups(data, layout)
    out[:, 0::2] = (groups[..., 0] >> 4) | (groups[..., 1] << 4)
    out[:, 1::2] = groups[..., 2]


def _unpack_gige(data: Any, layout: ImageLayout, out: ImageU8) -> None:
    # GigE Vision 1.x: high byte, both remainders, high byte. The high bytes are what is kept.
    groups = _groups(data, layout)
    out[:, 0::2] = groups[..., 0]
    out[:, 1::2] = groups[..., 2]


_UNPACK: dict[str, Callable[[Any, ImageLayout, ImageU8], None]] = {
    "8": _unpack_8,
    "10": _unpack_words,
    "12": _unpack_words,
    "10p": _unpack_10p,
    "12p": _unpack_12p,
    "10Packed": _unpack_gige,
    "12Packed": _unpack_gige,
}
