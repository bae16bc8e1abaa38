"""What stands around an end-to-end test: a station process with two views and two products, and a PLC process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import cv2
import psutil
import yaml

from calibration.__main__ import main as calibrate
from edge.cameras.images import read_image
from edge.cameras.simulated import write_control
from edge.io.simulated import Seen, look
from edge.settings.simulated import Leftover, SceneControl
from tests.cli.running import CONFIGS, IMAGES, ROOT, simulated

VIEWS, PRODUCTS = ("feeder", "nest"), ("aspirin", "ibuprofen")
RELAY, RED = 17, 22
TABLET = Leftover(kind="leaflet", x=0.5, y=0.5, size=0.2)
ADDRESS = {"site": "basel", "area": "packaging", "line": "line3", "station": "feeder-box"}
TOPIC = "/".join(("lineclear", *ADDRESS.values()))
SIGNED = ("--who", "A. Meier", "--why", "known frames")
READY_S, END_S = 60.0, 30.0


def make_recipes(folder: Path) -> Path:
    """recipes/PRODUCT/VIEW for both products, each view with a known good and a known bad frame."""
    for name in ("good", "bad"):
        (folder / name).mkdir(parents=True)
    shutil.copy(IMAGES[0], folder / "good")
    image = read_image(IMAGES[1]).copy()
    height, width = image.shape[:2]
    cv2.circle(image, (width // 2, height // 2), height // 10, (250, 20, 20), cv2.FILLED)
    cv2.imwrite(str(folder / "bad" / "blister.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    first = folder / "recipes" / PRODUCTS[0]
    for view in VIEWS:
        recipe = shutil.copytree(CONFIGS / "recipes" / view, first / view)
        known = ["--good", str(folder / "good"), "--bad", str(folder / "bad")]
        assert calibrate(["challenge", "--recipe", str(recipe), *known, *SIGNED]) == 0
    for product in PRODUCTS[1:]:
        shutil.copytree(first, folder / "recipes" / product)
    return folder / "recipes"


def write_config(folder: Path, recipes: Path, port: int, **changes: Any) -> Path:
    """station.yaml in `folder`, with a simulated release relay and control files of the cameras; changes replace keys."""
    folder.mkdir(parents=True, exist_ok=True)
    views = {}
    for number, view in enumerate(VIEWS):
        camera = simulated(seed=number + 7, trigger="software", rate_hz=50, control=str(folder / f"{view}.json"))
        views[view] = {"recipe": str(recipes / "{product}" / view), "camera": camera}
    data = {
        "station": ADDRESS,
        "state_dir": str(folder / "state"),
        "product": PRODUCTS[0],
        "publisher": {"kind": "mqtt", "host": "127.0.0.1", "port": port, "reconnect_min_s": 0.1, "reconnect_max_s": 0.5},
        "clearance": {
            "vote": {"frames": 3, "pass_votes": 2, "fail_votes": 2},
            "challenge": {"required": "max_age"},
            "min_free_bytes": 0,
        },
        "archive": {"min_free_bytes": 0},
        "commands": {
            "rights": {"plc-line3": ["operator"], "panel-line3": ["releaser"]},
            "people": {"A. Meier": ["release"]},
        },
        "outputs": {
            "chip": {"kind": "simulated", "path": str(folder / "lines")},
            "release": {"relay": {"line": RELAY}},
            "signals": {"red": {"line": RED, "on": ["not_clear", "fault"]}},
            "hold_s": 600,
            "guard_ms": 3000,
        },
        "health": {"interval_s": 1},
        "views": views,
        **changes,
    }
    path = folder / "station.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


class StationProcess:
    """`lineclear run`, from ready to its end; `said` is its log."""

    def __init__(self, config: Path) -> None:
        self.folder = config.parent
        self.said: list[str] = []
        self._ready = threading.Event()
        command = [sys.executable, "-m", "edge", "run", str(config)]
        self._process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert self._process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,), daemon=True)
        self._reader.start()
        assert self._ready.wait(READY_S), "".join(self.said)
        assert self._process.poll() is None, "".join(self.said)

    def _read(self, stderr: IO[str]) -> None:
        for line in stderr:
            self.said.append(line)
            if "station_ready" in line:
                self._ready.set()
        self._ready.set()

    def leave(self, view: str, *leftovers: Leftover) -> None:
        """What lies in this view from now on."""
        write_control(self.folder / f"{view}.json", SceneControl(leftovers=leftovers))

    @property
    def relay(self) -> Seen:
        return look(self.folder / "lines")[RELAY]

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self._process.pid).children(recursive=True)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status; nothing of it is left."""
        if self._process.poll() is not None:
            return self._process.returncode
        children = self.children()
        os.kill(self._process.pid, number)
        status = self._process.wait(END_S)
        _, alive = psutil.wait_procs(children, END_S)
        self._reader.join(END_S)
        assert self._process.stderr is not None
        self._process.stderr.close()
        assert not alive, alive
        return status


@contextmanager
def station_process(config: Path) -> Iterator[StationProcess]:
    station = StationProcess(config)
    try:
        yield station
    finally:
        station.end(signal.SIGKILL)


class PlcProcess:
    """Gives orders to tests/e2e/plc.py in its process."""

    def __init__(self, port: int) -> None:
        command = [sys.executable, "-m", "tests.e2e.plc", str(port), TOPIC]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, do: str, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"failed": "the PLC is gone"}')
        assert "said" in answer, answer
        said: dict[str, Any] = answer["said"]
        return said

    def ask(self, name: str, **fields: Any) -> dict[str, Any]:
        """A command and its last word."""
        return self("ask", name=name, fields=fields)

    def close(self) -> None:
        self._process.communicate(timeout=END_S)


@contextmanager
def plc_process(port: int) -> Iterator[PlcProcess]:
    plc = PlcProcess(port)
    try:
        yield plc
    finally:
        plc.close()
