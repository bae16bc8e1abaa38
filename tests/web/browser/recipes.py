"""Recipes of the browser tests' three views, made with the product's own commands: `python -m tests.web.browser.recipes OUT`.

Two views of a rendered machine and one through a real GenTL producer (viky), for two products, with challenge frames.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import cv2
import yaml

from calibration.__main__ import main as calibrate
from edge.cameras.simulated import SimulatedCamera
from edge.config import ViewConfig
from edge.demo.machine import LEFTOVERS, collect
from edge.settings.simulated import SceneControl, SimulatedSettings
from edge.settings.triggers import TriggerSettings
from export.__main__ import main as export
from tests.cli.running import CONFIGS, ROOT

PRODUCTS: Final = ("tablets-10mg", "tablets-20mg")
SIMULATED: Final = ("feeder", "nest")
VIEWS: Final = (*SIMULATED, "outfeed")
MODEL_FRAMES, CARD_FRAMES = 8, 12
SIGNED: Final = ("--who", "A. Meier", "--why", "first recipe")


def cameras() -> dict[str, dict[str, Any]]:
    """The cameras of configs/demo.yaml, without their control files."""
    views = yaml.safe_load((CONFIGS / "demo.yaml").read_text())["views"]
    found = {name: dict(views[name]["camera"]) for name in VIEWS}
    for name in SIMULATED:
        del found[name]["control"]
        found[name]["rate_hz"] = 50
    return found


def recipes_in(folder: Path) -> Path:
    """`folder`/made/PRODUCT/VIEW; whoever of several test processes comes first makes them, the others wait."""
    made = folder / "made"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder / "making", ignore_errors=True)
            command = [sys.executable, "-m", __name__, str(folder / "making")]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            (folder / "making").rename(made)
    return made


def grab(view: str, camera: dict[str, Any], count: int, folder: Path, control: SceneControl | None = None) -> list[Path]:
    """`count` frames as PNG files; of a rendered view in this process, else through the camera's own."""
    if camera["kind"] != "simulated":
        config = ViewConfig.model_validate({"recipe": "none", "camera": camera, "trigger": TriggerSettings()})
        return collect(view, config, count, folder)
    folder.mkdir(parents=True, exist_ok=True)
    settings = SimulatedSettings.model_validate({**camera, "start": control or SceneControl()})
    paths = []
    with SimulatedCamera(settings, view) as opened:
        for number in range(count):
            opened.trigger()
            frame = opened.grab(5.0)
            assert frame is not None
            paths.append(folder / f"{number:02d}.png")
            cv2.imwrite(str(paths[-1]), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    return paths


def make(out: Path) -> None:
    """Recipe, thresholds and (rendered views) challenge frames of every view, for the first product; the second is its copy."""
    for view, camera in cameras().items():
        recipe, scratch = out / PRODUCTS[0] / view, out / "frames" / view
        paths = grab(view, camera, MODEL_FRAMES + CARD_FRAMES, scratch / "build")
        (scratch / "hold").mkdir()
        for path in paths[MODEL_FRAMES:]:
            path.rename(scratch / "hold" / path.name)
        registration = [] if view in SIMULATED else ["--registration", "none"]
        bundle = out / "bundles" / view
        bundle.parent.mkdir(exist_ok=True)
        _run(export, "variation", "--images", scratch / "build", "--out", bundle, "--quiet", *registration)
        masks = CONFIGS / f"demo-{view}-masks.yaml"
        covered = ["--masks", masks] if masks.exists() else []
        what = ("--view", view, "--reference", paths[0], "--bundle", bundle, "--out", recipe)
        _run(calibrate, "recipe", *what, *covered, *registration, *SIGNED)
        _run(calibrate, "thresholds", "--recipe", recipe, "--images", scratch / "hold", "--method", "quantile", *SIGNED)
        if view in SIMULATED:
            grab(view, camera, 1, scratch / "good")
            grab(view, camera, 1, scratch / "bad", SceneControl(leftovers=LEFTOVERS))
            known = ("--good", scratch / "good", "--bad", scratch / "bad")
            _run(calibrate, "challenge", "--recipe", recipe, *known, *SIGNED)
    shutil.copytree(out / PRODUCTS[0], out / PRODUCTS[1])


def _run(command: Any, *arguments: str | Path) -> None:
    status = command([str(argument) for argument in arguments])
    assert status == 0, arguments


if __name__ == "__main__":
    make(Path(sys.argv[1]))
