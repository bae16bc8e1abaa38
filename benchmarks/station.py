"""Whole stations for the benchmarks, in a temporary folder: recipes made with the real commands, a real Mosquitto, taps.

Nothing here is measured; it prepares what is, with the same commands that a technician uses.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from edge.config import StationConfig, load_config
from edge.types import ImageU8

MODEL_FRAMES, CARD_FRAMES, REPLAY_FRAMES = 5, 5, 4
READY_S = 10.0
TEXTURE = ((3, 26.0), (9, 40.0), (40, 60.0))
"""Octaves of a scene: size of the grain in pixels, depth in grey levels."""


class Missing(Exception):
    """Something that this benchmark needs is not installed."""


class Broker:
    """Mosquitto on a free loopback port. It logs to a file, so that the process that measures holds nothing of it."""

    def __init__(self, folder: Path, *lines: str, host: str = "127.0.0.1", prefix: Sequence[str] = ()) -> None:
        """lines: added to its configuration. host: where it listens; prefix: what its command begins with."""
        binary = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if binary is None:
            raise Missing("mosquitto is not installed: apt-get install mosquitto")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.config = folder / "mosquitto.conf"
        # A root Mosquitto becomes another user, who may not read the folder, unless told to stay.
        user = f"user {getpass.getuser()}"
        head = [f"listener {self.port} {host}", "allow_anonymous true", user, "max_queued_messages 0"]
        self.config.write_text("\n".join([*head, *lines]) + "\n")
        self._host = host
        self._command = [*prefix, binary, "-c", str(self.config)]
        self._log = folder / "mosquitto.log"
        self._process = self._spawned()

    def _spawned(self) -> subprocess.Popen[bytes]:
        with self._log.open("a") as log:
            return subprocess.Popen(self._command, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def __enter__(self) -> Broker:
        deadline = time.monotonic() + READY_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection((self._host, self.port), 1):
                return self
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise Missing("mosquitto does not start: run it by hand to see why")
            time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it; `start` brings it back on the same port."""
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(number)
        self._process.wait(READY_S)

    def start(self) -> None:
        """After `stop`; returns once it listens."""
        self._process = self._spawned()
        self.__enter__()


def scene(size_wh: tuple[int, int], seed: int) -> ImageU8:
    """Smooth texture of three grain sizes that registration can hold on to: uint8 RGB."""
    width, height = size_wh
    random = np.random.default_rng(seed)
    image = np.full((height, width), 110, np.float32)
    for grain, depth in TEXTURE:
        noise = random.normal(0, 1, (height // grain + 2, width // grain + 2)).astype(np.float32)
        image += depth * 0.5 * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    tint = np.array([1.0, 0.97, 0.92], np.float32)
    return np.asarray(np.clip(image[..., None] * tint, 10, 245), np.uint8)


def shots(size_wh: tuple[int, int], count: int, seed: int) -> Iterator[ImageU8]:
    """Frames of one scene: nudged by up to 3 px, light +-3 %, sensor noise; uint8 RGB."""
    margin = 4
    wide = scene((size_wh[0] + 2 * margin, size_wh[1] + 2 * margin), seed)
    random = np.random.default_rng(seed + 1)
    for number in range(count):
        x, y = random.integers(margin - 3, margin + 4, 2) if number else (margin, margin)
        crop = wide[y : y + size_wh[1], x : x + size_wh[0]].astype(np.float32)
        noise = random.normal(0, 2, crop.shape[:2]).astype(np.float32)
        yield np.asarray(np.clip(crop * random.uniform(0.97, 1.03) + noise[..., None], 0, 255), np.uint8)


def write_shots(folder: Path, images: Sequence[ImageU8] | Iterator[ImageU8], first: int = 0) -> list[Path]:
    """The images as `00.bmp` ...: a format that costs the camera's process next to nothing to read."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, image in enumerate(images, first):
        paths.append(folder / f"{number:02d}.bmp")
        cv2.imwrite(str(paths[-1]), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return paths


def command(package: str, *arguments: str) -> None:
    """Run `lineclear-export` (export) or `lineclear-calibrate` (calibration); RuntimeError with its message if it fails."""
    done = subprocess.run([sys.executable, "-m", package, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"`{package} {' '.join(arguments)}` failed:\n{done.stderr}")


def make_bundle(folder: Path, name: str, build: Path, *more: str) -> Path:
    """The variation model of a folder of good frames; more: as `--registration none`."""
    bundle = folder / "bundles" / name
    bundle.parent.mkdir(parents=True, exist_ok=True)
    command("export", "variation", "--images", str(build), "--out", str(bundle), "--quiet", *more)
    return bundle


def make_recipe(folder: Path, view: str, bundle: Path, build: Path, hold: Path, *more: str) -> Path:
    """Recipe and thresholds of one view: the reference is the first frame of `build`, the thresholds come from `hold`."""
    recipe, who = folder / "recipes" / view, ("--who", "benchmark", "--why", "benchmark")
    command(
        "calibration", "recipe", "--view", view, "--reference", str(min(build.iterdir())), "--bundle", str(bundle),
        "--out", str(recipe), *who, *more,
    )  # fmt: skip
    command("calibration", "thresholds", "--recipe", str(recipe), "--images", str(hold), "--method", "quantile", *who)
    return recipe


def make_view(folder: Path, view: str, size_wh: tuple[int, int], seed: int) -> dict[str, Any]:
    """A view on a folder camera with a software trigger, and its recipe; what the config says of it."""
    images = shots(size_wh, MODEL_FRAMES + CARD_FRAMES + REPLAY_FRAMES, seed)
    build = folder / "shots" / view / "build"
    paths = write_shots(build, images)
    hold, replay = (folder / "shots" / view / name for name in ("hold", "replay"))
    for target, part in ((hold, paths[MODEL_FRAMES:-REPLAY_FRAMES]), (replay, paths[-REPLAY_FRAMES:])):
        target.mkdir()
        for path in part:
            path.rename(target / path.name)
    recipe = make_recipe(folder, view, make_bundle(folder, view, build), build, hold)
    return {"recipe": str(recipe), "camera": {"kind": "folder", "path": str(replay), "trigger": "software"}}


def make_config(folder: Path, port: int, views: dict[str, dict[str, Any]], **more: Any) -> StationConfig:
    """A station on the broker, written to FOLDER/station.yaml and read as any other."""
    data = {
        "station": {"site": "bench", "area": "lab", "line": "1", "station": folder.name},
        "state_dir": "state",
        "publisher": {"kind": "mqtt", "host": "127.0.0.1", "port": port, "protocol": "5"},
        "views": views,
        **more,
    }
    path = folder / "station.yaml"
    # Through JSON, because PyYAML writes what is there twice as an alias, which no config may hold.
    path.write_text(yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False))
    return load_config(path)


@contextlib.contextmanager
def tapped(owner: type, name: str, listen: Callable[..., None]) -> Iterator[None]:
    """While it lasts, `listen(started_ns, ended_ns, result, *arguments)` hears of every call of a public method."""
    real = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        started_ns = time.monotonic_ns()
        result = real(*arguments, **named)
        listen(started_ns, time.monotonic_ns(), result, *arguments)
        return result

    setattr(owner, name, call)
    try:
        yield
    finally:
        setattr(owner, name, real)


def write_json(path: Path | None, data: Any) -> None:
    """Keep the figures, if a file was named."""
    if path is not None:
        path.write_text(json.dumps(data, indent=1) + "\n")
