"""Messages between the station and a camera's process: small JSON texts over a socket that keeps their borders.

Not pickle: a vendor's library runs in the child, and what it could corrupt must not run code in the station.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edge.errors import CameraLost, CameraRefused, DeviceError, FrameError, LineclearError
from edge.settings.cameras import CameraSettings

MAX_MESSAGE_BYTES = 1 << 16


class ChannelClosed(Exception):
    """The other side is gone."""


@dataclass(frozen=True)
class Begin:
    """Station to child, once: what to open, and how to hand over its frames."""

    settings: CameraSettings
    view: str
    life: int
    slots: int
    stop_timeout_s: float


@dataclass(frozen=True)
class Trigger:
    """Station to child: one frame, please."""


@dataclass(frozen=True)
class Stop:
    """Station to child: close the camera and end."""


@dataclass(frozen=True)
class Opened:
    """Child to station: the camera is open and started."""


@dataclass(frozen=True)
class RingMade:
    """Child to station: from now on records point into this ring; its descriptor comes with the message."""

    generation: int
    slots: int
    slot_bytes: int


@dataclass(frozen=True)
class Failed:
    """Child to station: why the camera's life is over. error is what the camera raised; crash names any other exception."""

    error: LineclearError | None
    crash: str = ""


@dataclass(frozen=True)
class FrameRecord:
    """Child to station: a slot of the ring is filled. shape () and an error: this trigger gave nothing that can be judged.

    ready_ns: host monotonic time at which the camera gave the frame to the child.
    """

    generation: int
    slot: int
    shape: tuple[int, ...]
    number: int = 0
    grabbed_ns: int = 0
    grabbed_at: datetime | None = None
    device_ns: int | None = None
    camera: str = ""
    lost_before: int = 0
    incomplete_before: int = 0
    is_simulated: bool = False
    error: FrameError | None = None
    ready_ns: int = 0


class Channel:
    """One end of a SOCK_SEQPACKET pair: a receive gets a whole message or none, so two readers never share one."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        end.setblocking(False)

    def fileno(self) -> int:
        """For poll()."""
        return self._socket.fileno()

    def send(self, message: object, fds: Sequence[int] = ()) -> None:
        """ChannelClosed if nobody is there; BlockingIOError if the other side does not read."""
        data = _encode(message)
        if len(data) > MAX_MESSAGE_BYTES:
            raise ValueError(f"a message of {len(data)} bytes does not fit ({MAX_MESSAGE_BYTES})")
        try:
            socket.send_fds(self._socket, [data], list(fds))
        except (BrokenPipeError, ConnectionResetError, OSError) as error:
            if isinstance(error, BlockingIOError):
                raise
            raise ChannelClosed from error

    def receive(self) -> tuple[Any, list[int]] | None:
        """The next message and the descriptors that came with it (now the caller's), or None if there is none yet.

        ChannelClosed if the other side is gone, or talks nonsense: it cannot be trusted any more.
        """
        try:
            data, fds, _, _ = socket.recv_fds(self._socket, MAX_MESSAGE_BYTES, 4)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ChannelClosed from error
        if not data:
            raise ChannelClosed
        return _decode(data), fds

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


_SETTINGS: TypeAdapter[Any] = TypeAdapter(CameraSettings)
_MESSAGES = {kind.__name__: kind for kind in (Begin, Trigger, Stop, Opened, RingMade, Failed, FrameRecord)}
_ERRORS = {kind.__name__: kind for kind in (LineclearError, FrameError, DeviceError, CameraLost, CameraRefused)}


def _encode(message: Any) -> bytes:
    content = {field.name: _plain(getattr(message, field.name)) for field in fields(message)}
    return json.dumps([type(message).__name__, content]).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, LineclearError):
        kind = next(kind.__name__ for kind in type(value).__mro__ if kind.__name__ in _ERRORS)
        return [kind, value.message, value.where, value.remedy]
    if isinstance(value, datetime):
        return value.isoformat()
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def _decode(data: bytes) -> Any:
    try:
        name, content = json.loads(data)
        if content.get("error") is not None:
            kind, message, where, remedy = content["error"]
            content["error"] = _ERRORS[kind](message, where=where, remedy=remedy)
        if content.get("grabbed_at") is not None:
            content["grabbed_at"] = datetime.fromisoformat(content["grabbed_at"])
        if "shape" in content:
            content["shape"] = tuple(content["shape"])
        if "settings" in content:
            content["settings"] = _SETTINGS.validate_python(content["settings"])
        return _MESSAGES[name](**content)
    except (ValueError, TypeError, KeyError, AttributeError, ValidationError) as error:
        raise ChannelClosed(f"nonsense: {error}") from error


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """Both ends, not inheritable."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
