"""Does an ONNX file hold all that it needs? Read from its bytes, without the package onnx.

TensorRT's parser opens files that a tensor names, relative to wherever the process happens to be. Such weights are in no hash
of the bundle: the engine would be of whatever lies there. ONNX Runtime refuses them; so is it done here.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["Unreadable", "names_other_files"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEEPEST = 100
# onnx.proto: message -> field number -> the message in it, as far as a tensor can be below.
_BELOW = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


class Unreadable(Exception):
    """The bytes are no protobuf message, or one that is nested without end."""


def names_other_files(onnx: bytes) -> bool:
    """True if a tensor of the model says that its data is in a file. Unreadable: this is no ONNX file."""
    return _outside(memoryview(onnx), "model", 0)


def _outside(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _DEEPEST:
        raise Unreadable("it is nested too deeply")
    below = _BELOW[kind]
    for field, value in _fields(message):
        if kind == "tensor" and field in (_EXTERNAL_DATA, _DATA_LOCATION) and value not in (0, b""):
            return True
        inner = below.get(field)
        if inner is not None and isinstance(value, memoryview) and _outside(value, inner, depth + 1):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, number or bytes) of each field; the fixed ones come as 0."""
    place, end = 0, len(message)
    while place < end:
        key, place = _number(message, place)
        # protobuf keeps 32 bits of a key, whatever else is written there.
        key &= 0xFFFFFFFF
        wire = key & 7
        if wire == _VARINT:
            value, place = _number(message, place)
            yield key >> 3, value
            continue
        length = {_FIXED64: 8, _FIXED32: 4}.get(wire, 0)
        if wire == _BYTES:
            length, place = _number(message, place)
        elif not length:
            raise Unreadable("it is no protobuf message")
        if place + length > end:
            raise Unreadable("it ends too early")
        yield key >> 3, message[place : place + length] if wire == _BYTES else 0
        place += length


def _number(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise Unreadable("it ends too early")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise Unreadable("it is no protobuf message")
