"""A whole plant for the page: Mosquitto with passwords and an access list, a station process, the page's process.

Everything is what runs at a customer's, started as it is there; only the cameras render what they show.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import psutil
import pytest
import yaml

from edge.demo.machine import LEFTOVERS
from tests.cli.running import CONFIGS, ROOT
from tests.e2e.parts import StationProcess
from tests.mosquitto import Mosquitto, acl_lines, free_port, mosquitto, password_lines
from tests.web.browser.people import enrol
from tests.web.browser.recipes import PRODUCTS, SIMULATED, cameras

ADDRESS: Final = {"site": "basel", "area": "packaging", "line": "line3", "station": "feeder-box"}
TOPIC: Final = "/".join(("lineclear", *ADDRESS.values()))
RELEASER: Final = "A. Meier"
PAGE_CLIENT: Final = "page"
READY_S, END_S = 60.0, 20.0


class PageProcess:
    """`lineclear-calibrate serve`, from listening to its end; `said` is all that it printed."""

    def __init__(self, config: Path, page_config: Path, port: int) -> None:
        self.said: list[str] = []
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._changed = threading.Condition()
        command = [sys.executable, "-m", "calibration", "serve", "--config", str(config), "--page", str(page_config)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()
        self.wait_for(lambda: self._listens(), "it does not listen")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            with self._changed:
                self.said.append(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, condition: Any, what: str) -> Any:
        """The condition's first true answer; it is asked again whenever a line was printed, and ten times a second."""
        with self._changed:
            for _ in range(int(READY_S * 10)):
                found = condition()
                if found:
                    return found
                assert self.process.poll() is None, f"{what}: the page ended\n" + "".join(self.said)
                self._changed.wait(0.1)
        raise AssertionError(f"{what}\n" + "".join(self.said))

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Gone, with everything that it started."""
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
            try:
                self.process.wait(END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(END_S)
                raise AssertionError("the page did not end on SIGTERM:\n" + "".join(self.said)) from None
            finally:
                for child in children:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.kill()
        self._reader.join(END_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


@dataclass
class Plant:
    """What runs, and what a person can do to the machine."""

    folder: Path
    broker: Mosquitto
    station: StationProcess
    page: PageProcess

    @property
    def url(self) -> str:
        return self.page.url

    def clean(self, view: str) -> None:
        """Nothing lies in this view."""
        self.station.leave(view)

    def leave(self, view: str) -> None:
        """Somebody forgot something in this view."""
        self.station.leave(view, *LEFTOVERS)


def write_config(folder: Path, recipes: Path, port: int, **changes: Any) -> Path:
    """station.yaml of a station with three views on the broker."""
    views = {}
    for name, camera in cameras().items():
        control = {"control": str(folder / f"{name}.json")} if name in SIMULATED else {}
        kind = {"kind": "continuous", "interval_s": 1} if name == "feeder" else {"kind": "on_request"}
        views[name] = {"recipe": str(recipes / "{product}" / name), "trigger": kind, "camera": {**camera, **control}}
    data = {
        "station": ADDRESS,
        "state_dir": str(folder / "state"),
        "product": PRODUCTS[0],
        "publisher": {
            "kind": "mqtt", "host": "127.0.0.1", "port": port, "protocol": "5",
            "credentials_file": str(_credentials(folder, "feeder-box")), "reconnect_min_s": 0.1, "reconnect_max_s": 0.5,
        },
        "engine": {"kind": "onnxruntime", "threads": 1},
        "clearance": {"vote": {"frames": 3, "pass_votes": 2, "fail_votes": 2}, "min_free_bytes": 0, "timeout_s": 30},
        "archive": {"min_free_bytes": 0, "pass_share": 1.0},
        "pictures": {"publish": "all", "format": "jpeg", "max_width": 900},
        "commands": {
            "rights": {PAGE_CLIENT: ["calibrator", "release"], "plc-line3": ["operator"]},
            "people": {RELEASER: ["release"]},
        },
        "health": {"interval_s": 1},
        "views": views,
        **changes,
    }  # fmt: skip
    path = folder / "station.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def _credentials(folder: Path, user: str) -> Path:
    path = folder / f"{user}.credentials"
    path.write_text(f"{user}:{user}-secret\n")
    path.chmod(0o600)
    return path


def access_list() -> str:
    """configs/mosquitto/acl: the page's lines are in it."""
    return (CONFIGS / "mosquitto" / "acl").read_text()


@contextmanager
def broker_with_passwords(folder: Path) -> Iterator[Mosquitto]:
    """Nobody without a password, nothing that the shipped access list does not allow."""
    folder.mkdir()
    users = {user: f"{user}-secret" for user in ("feeder-box", "plc-line3", PAGE_CLIENT)}
    lines = [*password_lines(folder, **users), *acl_lines(folder, access_list())]
    with mosquitto(folder, *lines, allow_anonymous=False) as running:
        yield running


def write_page_config(folder: Path, port: int, **changes: Any) -> Path:
    """station.page.yaml: only the port differs from what it is by itself, and the credentials at the broker."""
    path = folder / "station.page.yaml"
    data = {"port": port, "credentials_file": str(_credentials(folder, PAGE_CLIENT)), **changes}
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


@contextmanager
def plant(folder: Path, made: Path, *, people: bool = False, **changes: Any) -> Iterator[Plant]:
    """Broker, station, page. made: recipes_in(...), of which it gets a copy. people: PEOPLE may sign in."""
    recipes = shutil.copytree(made, folder / "recipes")
    with ExitStack() as stack:
        broker = stack.enter_context(broker_with_passwords(folder / "broker"))
        config = write_config(folder, recipes, broker.port, **changes)
        station = StationProcess(config)
        stack.callback(station.end, signal.SIGKILL)
        if people:
            enrol(config)
        port = free_port()
        page = PageProcess(config, write_page_config(folder, port), port)
        stack.callback(page.end)
        yield Plant(folder, broker, station, page)


def chromium() -> str:
    """Path of Debian's browser; skips the test where it is not installed."""
    for path in (os.environ.get("LINECLEAR_CHROMIUM", ""), "/usr/bin/chromium", "/usr/bin/chromium-browser"):
        if path and Path(path).exists():
            return path
    pytest.skip("Chromium is not installed: bash .ci/install-system-packages")
