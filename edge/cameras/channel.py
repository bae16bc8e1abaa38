"""Messages between the station and a camera's process: small pickled values over a socket that keeps their borders."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from edge.errors import FrameError
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

    error: Exception | None
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
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        if len(data) > MAX_MESSAGE_BYTES:
            raise ValueError(f"a message of {len(data)} bytes does not fit ({MAX_MESSAGE_BYTES})")
        try:
            socket.send_fds(self._socket, [data], list(fds))
        except (BrokenPipeError, ConnectionResetError, OSError) as error:
            if isinstance(error, BlockingIOError):
                raise
            raise ChannelClosed from error

    def receive(self) -> tuple[Any, list[int]] | None:
        """The next message and the descriptors that came with it (now the caller's), or None if there is none yet."""
        try:
            data, fds, _, _ = socket.recv_fds(self._socket, MAX_MESSAGE_BYTES, 4)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ChannelClosed from error
        if not data:
            raise ChannelClosed
        return pickle.loads(data), fds  # noqa: S301 (both ends are this program, over an anonymous socket)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """Both ends, not inheritable."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
