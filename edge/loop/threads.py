"""The station's threads: started, watched over, and started again when one fails."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from edge.health import Health
from edge.supervision import ENGINE, Pulse, Pulses

__all__ = ["ENGINE", "Pulse", "Pulses", "Threads"]

log = logging.getLogger(__name__)

RESTART_PAUSE_S = 1.0
FUTILE_STARTS = 5
"""Lives in a row that ended before their work began: another one in this process will not do better."""


class Threads:
    """All threads of one station; each says by its pulse that it makes progress."""

    def __init__(self, health: Health, pulses: Pulses, on_failure: Callable[[], object]) -> None:
        """on_failure: called when one failed, before it is started again."""
        self._health = health
        self._pulses = pulses
        self._on_failure = on_failure
        self._threads: list[threading.Thread] = []

    def start(self, name: str, body: Callable[[Pulse], None], stop: threading.Event) -> None:
        """Run `body` in a thread of this name until it returns; if it fails it comes back, unless stop is set."""
        thread = threading.Thread(target=self._supervise, args=(name, body, stop), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self, timeout_s: float, wanted: Callable[[str], bool] = lambda _name: True) -> None:
        """Wait for the end of those whose name is wanted; what does not end in time is logged and left."""
        deadline = time.monotonic() + timeout_s
        for thread in [thread for thread in self._threads if wanted(thread.name)]:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.error("thread_did_not_stop name=%s", thread.name)
            self._threads.remove(thread)

    def _supervise(self, name: str, body: Callable[[Pulse], None], stop: threading.Event) -> None:
        """The one place that catches everything: a thread that fails comes back, and says so."""
        futile, since_s = 0, 0.0
        while True:
            pulse = self._pulses.pulse(name)
            try:
                body(pulse)
                self._pulses.forget(name)
                return
            except Exception:
                log.exception("thread_failed name=%s", name)
                self._health.event("", f"thread_failed_{name}")
                since_s = since_s if futile else time.monotonic()
                futile = 0 if pulse.has_worked else futile + 1
                self._on_failure()
            if futile == FUTILE_STARTS:
                self._give_up(name, since_s)
            if stop.wait(RESTART_PAUSE_S):
                self._pulses.forget(name)
                self._pulses.forget(f"{name}-start")
                return

    def _give_up(self, name: str, since_s: float) -> None:
        """Each new life has a new pulse: without this a thread that never gets to work would never be late."""
        self._pulses.probe(f"{name}-start", lambda: time.monotonic() - since_s, 0.0, "it fails whenever it starts, see the log")
