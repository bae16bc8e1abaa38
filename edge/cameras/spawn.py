"""Start, watch and end the operating-system process of a camera.

A fresh interpreter, not a fork and not multiprocessing: it never imports the station's `__main__` again, brings no resource
tracker along, and `ps` shows which camera it is. Its life hangs on a pipe that only the station's process holds open: when
the station dies, however it dies, the kernel kills the child (see child.py), even one that hangs inside a driver.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from edge.cameras.channel import Channel, channel_pair
from edge.cameras.status import StatusPage


class ChildProcess:
    """A running child with its two channels: control (commands and events) and frames (records, child to station)."""

    def __init__(self, name: str) -> None:
        control, child_control = channel_pair()
        frames, child_frames = channel_pair()
        life_read, self._life_write = os.pipe()
        status_fd = StatusPage.make(name)
        # The child also gets our end of `frames`: with policy newest it takes back the oldest record that nobody has read.
        passed = (child_control.fileno(), child_frames.fileno(), frames.fileno(), life_read, status_fd)
        self.control, self.frames = Channel(control), Channel(frames)
        self.status = StatusPage(status_fd)
        try:
            self._process = _popen(name, passed)
            self._exit_fd = os.pidfd_open(self._process.pid)
        except OSError:
            self._close_ends()
            raise
        finally:
            child_control.close()
            child_frames.close()
            os.close(life_read)
            os.close(status_fd)
        self._poll = select.poll()
        for fd in (self.control.fileno(), self.frames.fileno(), self._exit_fd):
            self._poll.register(fd, select.POLLIN)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait(self, timeout_s: float) -> None:
        """Return when a message is there, the child has ended, or after timeout_s; other threads run meanwhile."""
        self._poll.poll(max(0.0, timeout_s) * 1000)

    def has_exited(self, timeout_s: float = 0.0) -> bool:
        """True once the process is over."""
        poll = select.poll()
        poll.register(self._exit_fd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))

    def end(self, patience_s: float) -> str:
        """Wait at most patience_s for it to end, kill it and all it started, free everything; how it ended, in words."""
        ended = self.has_exited(patience_s)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        # A process in uninterruptible sleep outlives SIGKILL until its driver returns: that must not hold the station.
        gone = self.has_exited(2.0)
        os.close(self._exit_fd)
        self._close_ends()
        if not gone:
            return f"process {self.pid} does not end even when killed: its driver is stuck"
        code = self._process.wait()
        if not ended:
            return "was killed"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def _close_ends(self) -> None:
        os.close(self._life_write)
        self.control.close()
        self.frames.close()


def _popen(name: str, passed: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "edge.cameras.child", name, str(Path.cwd()), *map(str, passed)],
        pass_fds=passed,
        stdin=subprocess.DEVNULL,
        stdout=2,  # what a driver prints must not mix with the station's own output
        cwd="/",  # `-m` puts the working folder on the import path; the child goes back to ours once it runs
        env=_environment(),
        start_new_session=True,  # Ctrl-C goes to the whole foreground group: whether to stop is ours to decide
    )


def _environment() -> dict[str, str]:
    # The cores are for the judge: a camera decodes with one thread, unless the environment says otherwise.
    threads = {"OPENCV_FOR_THREADS_NUM": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**threads, **os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(part) for part in sys.path)}
