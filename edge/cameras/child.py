"""The process of one camera: opens it, copies its frames into the ring, and dies with the station.

Run by spawn.py as `python -m edge.cameras.child VIEW FOLDER FDS...`; imports little of the station but this package.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import os
import select
import signal
import socket
import sys
import time
from types import TracebackType

from edge.cameras.base import Camera
from edge.cameras.channel import Begin, Channel, ChannelClosed, Failed, Opened, Stop, Trigger
from edge.cameras.opening import make_camera
from edge.cameras.sink import FrameSink, GrabsInto
from edge.cameras.status import StatusPage
from edge.errors import FrameError, LineclearError
from edge.logs import join_logging
from edge.settings.cameras import is_pulled, trigger_mode
from edge.types import Frame

SLICE_S = 0.2
_PULL_POLL_S = 0.005
_AWAITED_SLICE_S = 0.02


class Worker:
    """The loop: commands in, frames out, a sign of life with every turn."""

    def __init__(self, begin: Begin, control: Channel, sink: FrameSink, status: StatusPage) -> None:
        self._control, self._sink, self._status = control, sink, status
        self._pulled = is_pulled(begin.settings)
        self._on_request = self._pulled or trigger_mode(begin.settings) == "software"
        self._awaited = 0
        self._stopping = False

    def run(self, camera: Camera) -> None:
        """Until told to stop or the station is gone (ChannelClosed)."""
        self._alive()
        self._control.send(Opened())
        while not self._stopping:
            self._turn(camera)
            self._alive()

    def _alive(self) -> None:
        self._status.set("heartbeat_ns", time.monotonic_ns())

    def _turn(self, camera: Camera) -> None:
        # What answers requests is idle until one comes; a camera that runs freely looks for commands between two frames.
        idle = self._on_request and not self._awaited
        self._commands(camera, SLICE_S if idle else 0.0)
        if self._stopping or (self._on_request and not self._awaited):
            return
        if self._pulled and not self._sink.has_room:
            time.sleep(_PULL_POLL_S)
            return
        try:
            frame = self._grab(camera, _AWAITED_SLICE_S if self._on_request else SLICE_S)
        except FrameError as error:
            self._awaited = max(0, self._awaited - 1)
            self._sink.put_error(error)
            return
        if frame is not None:
            self._awaited = max(0, self._awaited - 1)
            self._sink.put(frame)

    def _grab(self, camera: Camera, timeout_s: float) -> Frame | None:
        if isinstance(camera, GrabsInto):
            return camera.grab_into(timeout_s, self._sink.allocate)
        return camera.grab(timeout_s)

    def _commands(self, camera: Camera, wait_s: float) -> None:
        if wait_s:
            select.select([self._control.fileno()], [], [], wait_s)
        while (message := self._control.receive()) is not None:
            if isinstance(message[0], Stop):
                self._stopping = True
            elif isinstance(message[0], Trigger):
                camera.trigger()
                self._awaited += 1


def die_with_station(life_fd: int) -> None:
    """Have the kernel kill this process when the last writer of the pipe is gone.

    PR_SET_PDEATHSIG would fire when the thread that spawned us ends, and a thread of ours that waits for the end of the
    pipe does not run while a driver holds the interpreter lock. A signal from the pipe has neither fault, and SIGKILL ends
    a stopped process too.
    """
    fcntl.fcntl(life_fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life_fd, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(life_fd, fcntl.F_SETFL, fcntl.fcntl(life_fd, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    if select.select([life_fd], [], [], 0)[0]:
        os._exit(0)  # it was gone before we were ready


def work(control: Channel, out: Channel, unread: Channel, status: StatusPage) -> None:
    """One life of a camera: wait for the settings, open, run, close; errors of the camera go to the station."""
    select.select([control.fileno()], [], [])
    message = control.receive()
    if message is None or not isinstance(begin := message[0], Begin):
        return
    try:
        with make_camera(begin.settings, begin.view, begin.life) as camera:
            try:
                Worker(begin, control, FrameSink(begin, control, out, unread, status), status).run(camera)
            except LineclearError as error:
                # Said before the camera is closed: a broken producer may take this process with it.
                control.send(Failed(error))
    except LineclearError as error:
        control.send(Failed(error))


def main() -> None:
    """Entry point of the process."""
    faulthandler.enable()
    join_logging()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder, fds = sys.argv[2], [int(word) for word in sys.argv[3:]]
    for fd in fds:
        os.set_inheritable(fd, False)
    die_with_station(fds[3])
    os.chdir(folder)
    control, out, unread = channels = [Channel(socket.socket(fileno=fd)) for fd in fds[:3]]
    status = StatusPage(fds[4])

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        # The trace first: once the station is told, it may end this process before another word.
        sys.__excepthook__(kind, error, trace)
        with contextlib.suppress(ChannelClosed, BlockingIOError):
            control.send(Failed(None, f"{kind.__name__}: {error}"))

    # Whatever a vendor library raises is a bug or a surprise: it ends this process, and the station is told which it was.
    sys.excepthook = report
    with contextlib.suppress(ChannelClosed):
        work(control, out, unread, status)
    for channel in channels:
        channel.close()


if __name__ == "__main__":
    main()
