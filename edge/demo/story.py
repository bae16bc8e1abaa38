"""The demo's script: recipes from 20 good frames a view, then clearances that are clear, not clear, undecided, and nudged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

import edge
from edge.app import Assembly, assemble
from edge.clearance import ClearanceRequest, describe
from edge.config import StationConfig, load_config
from edge.demo.broker import EmbeddedBroker
from edge.demo.listener import Listener
from edge.demo.machine import Machine, collect
from edge.demo.page import write_page
from edge.errors import ConfigError
from edge.schema import read_yaml
from edge.types import Clearance, ClearanceOutcome

CONFIGS = Path(edge.__file__).resolve().parent.parent / "configs"
GOOD_FRAMES, MODEL_FRAMES = 20, 15
MARKER = ".lineclear-demo"
PRODUCT = "tablets-10mg"
REMEDY = "name another folder: --out DIR"


@dataclass(frozen=True)
class Scene:
    """One clearance of the demo: what happened to which view before, and what the answer must be."""

    title: str
    view: str
    act: Callable[[Machine, str], None]
    expected: ClearanceOutcome


SCENES = (
    Scene("The line is clean", "feeder", Machine.clean, ClearanceOutcome.CLEAR),
    Scene("A tablet and a leaflet were left in the feeder", "feeder", Machine.leave_products, ClearanceOutcome.NOT_CLEAR),
    Scene("The nest's camera is covered", "nest", Machine.cover, ClearanceOutcome.UNDECIDED),
    Scene("Cleaned up, but somebody leant on the feeder's camera", "feeder", Machine.nudge, ClearanceOutcome.CLEAR),
)


def play(out: Path) -> int:
    """Run the demo into `out`; 0 if every clearance had its expected answer, else 1."""
    _prepare(out)
    say = sys.stdout.write
    with EmbeddedBroker() as broker:
        config = _config(out, broker.port)
        say(f"An MQTT broker listens on 127.0.0.1:{broker.port}; everything lands in {out}/\n\n")
        machine = Machine(out / "control")
        _make_recipes(config, out)
        taken: list[tuple[Scene, Clearance]] = []
        with Listener(broker.port, config.station.topic, out) as listener:
            with assemble(config) as assembly:
                for number, scene in enumerate(SCENES, 1):
                    say(f"\nClearance {number}: {scene.title}\n")
                    for view in ("feeder", "nest"):
                        machine.clean(view)
                    scene.act(machine, scene.view)
                    clearance = _clear(assembly, number)
                    taken.append((scene, clearance))
                    say("".join(f"  {line}\n" for line in describe(clearance).splitlines()))
                    listener.wait_for(_pictured(clearance), 15)
            page = write_page(out, [(s.title, s.expected, c) for s, c in taken], listener.images)
            (out / "clearances.json").write_text(
                json.dumps([body for leaf, body in listener.messages if leaf == "clearance/result"])
            )
    wrong = [scene.title for scene, clearance in taken if clearance.outcome is not scene.expected]
    say(f"\nOpen {page} to see the heat maps.\n")
    if wrong:
        print(f"lineclear demo: not as expected: {'; '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


def _clear(assembly: Assembly, number: int) -> Clearance:
    started = time.monotonic()
    request = ClearanceRequest(f"demo-{number}", batch=f"B{1200 + number}", product=PRODUCT, operator="demo")
    clearance = assembly.clearances.run(request)
    sys.stdout.write(f"  answered in {time.monotonic() - started:.2f} s\n")
    return clearance


def _pictured(clearance: Clearance) -> set[str]:
    """Results that will have a picture: those that had a frame."""
    return {v.result_id for view in clearance.views for v in view.verdicts if v.origin.frame is not None}


def _prepare(out: Path) -> None:
    """An empty folder; only a folder that an earlier demo made is emptied."""
    if out.exists() and any(out.iterdir()):
        if not (out / MARKER).exists():
            raise ConfigError("is not empty and was not made by a demo", where=str(out), remedy=REMEDY)
        shutil.rmtree(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / MARKER).touch()
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", where=str(out), remedy=REMEDY) from None


def _config(out: Path, port: int) -> StationConfig:
    """configs/demo.yaml with this broker's port, written to OUT/station.yaml and read as any other config."""
    if not CONFIGS.is_dir():
        raise ConfigError(
            "is not here: the demo belongs to the source tree", where=str(CONFIGS), remedy="run make demo in a checkout"
        )
    data = read_yaml(CONFIGS / "demo.yaml")
    data["publisher"]["port"] = port
    path = out / "station.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return load_config(path)


def _make_recipes(config: StationConfig, out: Path) -> None:
    """For each view: grab, export the variation model, make the recipe, take thresholds; with the same commands as on site."""
    for name, view in config.views.items():
        sys.stdout.write(f"Recipe of {name}: {GOOD_FRAMES} good frames\n")
        sys.stdout.flush()
        build, hold = out / "frames" / name / "build", out / "frames" / name / "hold"
        paths = collect(name, view, GOOD_FRAMES, build)
        hold.mkdir(parents=True, exist_ok=True)
        for path in paths[MODEL_FRAMES:]:
            path.rename(hold / path.name)
        bundle = out / "bundles" / name
        bundle.parent.mkdir(exist_ok=True)
        registration = ["--registration", "none"] if name == "outfeed" else []
        _command("export", "variation", "--images", str(build), "--out", str(bundle), *registration)
        masks = CONFIGS / f"demo-{name}-masks.yaml"
        covered = ["--masks", str(masks)] if masks.exists() else []
        what = ["--view", name, "--product", PRODUCT, "--reference", str(paths[0]), "--bundle", str(bundle)]
        _command("calibration", "recipe", *what, *covered, *registration, "--out", str(view.recipe))
        frames = ["--recipe", str(view.recipe), "--images", str(hold)]
        _command("calibration", "thresholds", *frames, "--method", "quantile", "--who", "demo", "--why", "first recipe")


def _command(package: str, *arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", package, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ConfigError(f"`{package} {arguments[0]}` failed: {last}", where="demo", remedy="run it by hand to see more")
