"""The station with the page's process in every state: verdicts a second and latency, round by round (see benchmarks.page)."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.cli.running import ROOT
from tests.e2e.parts import StationProcess
from tests.mosquitto import free_port
from tests.web.browser.people import PASSWORD, enrol, sign_in
from tests.web.browser.plant import broker_with_passwords, write_config, write_page_config
from tests.web.browser.recipes import recipes_in

VERDICT = re.compile(r"^(\S+)Z INFO edge\.loop\.judging verdict .*?ms=([\d.]+)")
OPEN_PAGES, INTERVAL_S, SETTLE_S, READY_S = 5, 0.25, 1.5, 90.0
STATES = ("none", "idle", "five pages open", "stopped (SIGSTOP)", "killed and started", "burning every core")
RESAMPLES = 4000
NICE = 10
"""As systemd/lineclear-web@.service gives it; its CPUWeight is left out, so this is the harder case."""


class Page:
    """The page's process, as its unit runs it, in whatever state is wanted."""

    def __init__(self, config: Path, page_config: Path, port: int) -> None:
        self._log = config.parent / "page.log"
        self.url = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", "benchmarks.page_hungry", str(config), str(page_config)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        """A new process; wait: until it answers, else it begins at the priority that it has under its unit."""
        command = self._command if wait else ["nice", "-n", str(NICE), *self._command]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_S
        while wait:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(self.url + "/sign-in", timeout=2)
                self._step_back()
                return
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"the page does not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.1)

    def _step_back(self) -> None:
        """As its unit has it; only now, because a start at that priority takes long on a busy machine."""
        assert self._process is not None
        for thread in Path(f"/proc/{self._process.pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), NICE)

    def send(self, number: signal.Signals) -> None:
        """A signal to it."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self) -> None:
        """SIGKILL, also if it is stopped."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None


class Viewer(threading.Thread):
    """A tablet: the event stream, and each new picture that it tells of."""

    def __init__(self, url: str, cookies: httpx.Cookies, views: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._url, self._cookies, self._views = url, cookies, views
        self._stop = threading.Event()
        self.events = self.pictures = 0

    def run(self) -> None:
        """Until `end`, or the page goes."""
        with contextlib.suppress(httpx.HTTPError), httpx.Client(cookies=self._cookies, timeout=5) as client:
            client.get(self._url + "/")
            with client.stream("GET", self._url + "/events", timeout=httpx.Timeout(5, read=60)) as stream:
                for line in stream.iter_lines():
                    if self._stop.is_set():
                        return
                    if line.startswith("data:"):
                        self.events += 1
                    if line == "" and self.events % len(self._views) == 0:
                        self._look(client)

    def _look(self, client: httpx.Client) -> None:
        for view in self._views:
            self.pictures += client.get(f"{self._url}/views/{view}/picture").status_code == 200

    def end(self) -> None:
        """At the next event."""
        self._stop.set()


@dataclass(frozen=True)
class Window:
    """What the station did in one state of the page."""

    per_s: float
    median_ms: float
    p95_ms: float


def compared(folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """Print the table; the windows of every state."""
    made = recipes_in(folder / "recipes-cache")
    found: dict[str, list[Window]] = {state: [] for state in STATES}
    with broker_with_passwords(folder / "broker") as broker:
        config = write_config(folder, made, broker.port)
        _faster(config)
        port = free_port()
        page = Page(config, write_page_config(folder, port), port)
        enrol(config)
        station = StationProcess(config)
        try:
            _wait_until_it_judges(station)
            order = random.Random(1)
            for number in range(rounds):
                for state in order.sample(STATES, len(STATES)):
                    found[state].append(_window(station, page, state, seconds))
                sys.stderr.write(f"round {number + 1} of {rounds}\n")
        finally:
            page.end()
            station.end(signal.SIGKILL)
    print(table(found))
    return {state: [vars(window) for window in windows] for state, windows in found.items()}


def _faster(config: Path) -> None:
    """Every rendered view judged four times a second."""
    text = config.read_text().replace("interval_s: 1\n    camera", f"interval_s: {INTERVAL_S}\n    camera")
    text = text.replace("kind: on_request\n", f"kind: continuous\n      interval_s: {INTERVAL_S}\n")
    config.write_text(text)


def _wait_until_it_judges(station: StationProcess) -> None:
    deadline = time.monotonic() + READY_S
    while sum(bool(VERDICT.match(line)) for line in station.said) < 30:
        if time.monotonic() > deadline:
            raise RuntimeError("the station does not judge:\n" + "".join(station.said[-20:]))
        time.sleep(0.1)


def _window(station: StationProcess, page: Page, state: str, seconds: float) -> Window:
    with _in_state(page, state):
        time.sleep(SETTLE_S)
        first, started = len(station.said), time.monotonic()
        time.sleep(seconds)
        lines, took_s = station.said[first:], time.monotonic() - started
    taken = [float(match[2]) for line in lines if (match := VERDICT.match(line))]
    return Window(len(taken) / took_s, statistics.median(taken), float(np.percentile(taken, 95)))


@contextmanager
def _in_state(page: Page, state: str) -> Iterator[None]:
    """The page's process so, for as long as it lasts; gone afterwards."""
    if state == "none":
        yield
        return
    page.start()
    viewers: list[Viewer] = []
    ending = threading.Event()
    killer = threading.Thread(target=_kill_again, args=(page, ending))
    try:
        if state in {"five pages open", "stopped (SIGSTOP)", "burning every core"}:
            cookies = sign_in(page.url, "technician", PASSWORD)
            viewers = [Viewer(page.url, cookies, ("feeder", "nest", "outfeed")) for _ in range(OPEN_PAGES)]
            for viewer in viewers:
                viewer.start()
        if state.startswith("stopped"):
            time.sleep(1)
            page.send(signal.SIGSTOP)
        if state.startswith("burning"):
            page.send(signal.SIGUSR1)
        if state.startswith("killed"):
            killer.start()
        yield
        if state == "five pages open" and not all(viewer.events for viewer in viewers):
            raise RuntimeError("an open page heard nothing")
    finally:
        ending.set()
        if killer.is_alive():
            killer.join()
        for viewer in viewers:
            viewer.end()
        page.end()


def _kill_again(page: Page, ending: threading.Event) -> None:
    """SIGKILL and a new start every four seconds: as fast as systemd would never be."""
    while not ending.wait(4):
        page.end()
        page.start(wait=False)


def ratio(values: Sequence[float], base: Sequence[float]) -> tuple[float, float, float]:
    """Median of the rounds' ratios, and its 95 % interval."""
    ratios = np.array(values) / np.array(base)
    drawn = np.random.default_rng(0).choice(ratios, (RESAMPLES, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return float(np.median(ratios)), float(low), float(high)


def table(found: dict[str, list[Window]]) -> str:
    """As it stands in docs/page.md."""
    lines = [
        "| the page's process | verdicts/s | ratio | latency median, ms | ratio | latency p95, ms | ratio |",
        "|---|---:|---|---:|---|---:|---|",
    ]
    base = found["none"]
    figures: tuple[tuple[str, Callable[[Window], float]], ...] = (
        ("{:.2f}", lambda window: window.per_s),
        ("{:.1f}", lambda window: window.median_ms),
        ("{:.1f}", lambda window: window.p95_ms),
    )
    for state, windows in found.items():
        cells = [state]
        for form, take in figures:
            cells.append(form.format(statistics.median(take(window) for window in windows)))
            middle, low, high = ratio([take(w) for w in windows], [take(w) for w in base])
            cells.append("1" if state == "none" else f"{middle:.3f} ({low:.3f} to {high:.3f})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
