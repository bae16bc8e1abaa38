"""A helper process of the station: a fresh interpreter on one socket that carries small JSON texts and keeps their borders.

What must not share the station's fate runs in one: the guard of the outputs, which must act when the station hangs, and the
OPC UA server, which strangers talk to. Not pickle: what a stranger could corrupt must not run code in the station.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

MAX_MESSAGE_BYTES = 1 << 16
_ENV = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class SidecarGone(Exception):
    """The other side is gone, or talks nonsense: it cannot be trusted any more."""


class Link:
    """One end of a SOCK_SEQPACKET pair: a receive gets a whole message or none."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        end.setblocking(False)

    def fileno(self) -> int:
        """For poll()."""
        return self._socket.fileno()

    def send(self, message: Mapping[str, Any]) -> bool:
        """False if the other side does not read: nothing was sent. SidecarGone if nobody is there."""
        data = json.dumps(message).encode()
        if len(data) > MAX_MESSAGE_BYTES:
            raise ValueError(f"a message of {len(data)} bytes does not fit ({MAX_MESSAGE_BYTES})")
        try:
            self._socket.send(data, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        except OSError as error:
            raise SidecarGone(str(error)) from error
        return True

    def receive(self) -> dict[str, Any] | None:
        """The next message, None if there is none yet; SidecarGone."""
        try:
            data = self._socket.recv(MAX_MESSAGE_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            raise SidecarGone(str(error)) from error
        if not data:
            raise SidecarGone("closed")
        try:
            message = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise SidecarGone(f"nonsense: {error}") from error
        if not isinstance(message, dict):
            raise SidecarGone("nonsense: not an object")
        return message

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


class Sidecar:
    """A running helper, seen from the station. `module` is run with the name and two descriptors as its arguments.

    The descriptors: its end of the link, and the reading end of a pipe that ends when the station does (see die_with).
    """

    def __init__(self, module: str, name: str) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        life_read, self._life_write = os.pipe()
        self.link = Link(ours)
        try:
            self._process = _popen(module, name, (theirs.fileno(), life_read))
            self._exit_fd = os.pidfd_open(self._process.pid)
        except OSError:
            os.close(self._life_write)
            self.link.close()
            raise
        finally:
            theirs.close()
            os.close(life_read)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait(self, timeout_s: float, *others: int, messages: bool = True) -> None:
        """Return when a message is there, the helper has ended, another descriptor can be read, or after timeout_s."""
        links = (self.link.fileno(),) if messages else ()
        _readable((*links, self._exit_fd, *others), timeout_s)

    def has_exited(self, timeout_s: float = 0.0) -> bool:
        """True once the process is over."""
        return _readable((self._exit_fd,), timeout_s)

    def end(self, patience_s: float) -> str:
        """Close the link, wait at most patience_s for it to end, kill what is left; how it ended, in words."""
        self.link.close()
        ended = self.has_exited(patience_s)
        os.close(self._life_write)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        gone = self.has_exited(2.0)
        os.close(self._exit_fd)
        if not gone:
            return f"process {self.pid} does not end even when killed"
        code = self._process.wait()
        if not ended:
            return "was killed"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def link_of(argument: str) -> Link:
    """In the helper: its end of the link."""
    os.set_inheritable(int(argument), False)
    return Link(socket.socket(fileno=int(argument)))


def die_with(argument: str) -> None:
    """In the helper: have the kernel kill this process when the station is gone, however it died."""
    if not _signalled(int(argument), signal.SIGKILL):
        os._exit(0)


def wake_with(argument: str) -> None:
    """In the helper: have the kernel wake this process, if something stopped it, when the station is gone; it ends itself."""
    _signalled(int(argument), signal.SIGCONT)


def _signalled(life_fd: int, number: int) -> bool:
    """Have the kernel send a signal when the pipe ends; False if it has ended already.

    PR_SET_PDEATHSIG would fire when the thread that spawned us ends; a signal from the pipe does not.
    """
    os.set_inheritable(life_fd, False)
    fcntl.fcntl(life_fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life_fd, fcntl.F_SETSIG, number)
    fcntl.fcntl(life_fd, fcntl.F_SETFL, fcntl.fcntl(life_fd, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    return not _readable((life_fd,), 0)


def _readable(descriptors: tuple[int, ...], timeout_s: float) -> bool:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, timeout_s) * 1000))


def _popen(module: str, name: str, passed: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", module, name, *map(str, passed)],
        pass_fds=passed,
        stdin=subprocess.DEVNULL,
        stdout=2,  # what a library prints must not mix with the station's own output
        cwd="/",  # `-m` puts the working folder on the import path
        env={**_ENV, **os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(part) for part in sys.path)},
        start_new_session=True,  # Ctrl-C goes to the whole foreground group: whether to stop is ours to decide
    )
