"""The recipes and replay images that the examples in configs/ name; `python -m benchmarks.example_recipes` makes them anew.

Real frames of the simulated camera of configs/simulated.yaml through the real commands, so that what lies in the
repository is what a technician makes on site. The frames are the same in every run; a recipe also holds when it was made.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from edge.config import load_config
from edge.demo.machine import collect
from edge.settings.simulated import SimulatedSettings

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
VIEWS = ("feeder", "nest", "outfeed")
MODEL_FRAMES, HELD_BACK, REPLAYED = 15, 25, 3
SIGNED = ("--who", "lineclear", "--why", "an example to try the commands with")


def main() -> int:
    """Write configs/recipes and configs/replay anew; 0. Raises CalledProcessError if a command fails.

    The three recipes are of one machine: git keeps their model and their reference once.
    """
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        paths = good_frames(MODEL_FRAMES + HELD_BACK + REPLAYED, scratch / "frames")
        for name, chosen in {"model": paths[:MODEL_FRAMES], "held-back": paths[MODEL_FRAMES:-REPLAYED]}.items():
            (scratch / name).mkdir()
            for path in chosen:
                path.rename(scratch / name / path.name)
        command("export", "variation", "--images", scratch / "model", "--out", scratch / "bundle", "--window", "5", "--quiet")
        for view in VIEWS:
            make_recipe(view, scratch)
        write_replay(paths[-REPLAYED:])
    return 0


def good_frames(count: int, folder: Path) -> list[Path]:
    """The first `count` frames of the camera of configs/simulated.yaml, faster than it shows them, as PNG files."""
    feeder = load_config(CONFIGS / "simulated.yaml").views["feeder"]
    camera = feeder.camera
    assert isinstance(camera, SimulatedSettings)
    fast = feeder.model_copy(update={"camera": camera.model_copy(update={"trigger": "software", "rate_hz": 100.0})})
    return collect("feeder", fast, count, folder)


def make_recipe(view: str, scratch: Path) -> None:
    """configs/recipes/VIEW from the bundle, the reference and the frames in `scratch`."""
    recipe = CONFIGS / "recipes" / view
    shutil.rmtree(recipe, ignore_errors=True)
    reference, bundle = scratch / "model" / "00.png", scratch / "bundle"
    command("calibration", "recipe", "--view", view, "--reference", reference, "--bundle", bundle, "--out", recipe, *SIGNED)
    command("calibration", "thresholds", "--recipe", recipe, "--images", scratch / "held-back", "--method", "quantile", *SIGNED)


def write_replay(paths: list[Path]) -> None:
    """configs/replay: frames that neither the model nor the thresholds have seen."""
    replay = CONFIGS / "replay"
    shutil.rmtree(replay, ignore_errors=True)
    replay.mkdir()
    for number, path in enumerate(paths, 1):
        shutil.move(path, replay / f"{number}.png")


def command(package: str, *arguments: str | Path) -> None:
    """One of the product's own commands; CalledProcessError if it fails."""
    subprocess.run([sys.executable, "-m", package, *map(str, arguments)], check=True)


if __name__ == "__main__":
    sys.exit(main())
