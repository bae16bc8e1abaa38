"""`lineclear-calibrate thresholds`: good frames -> threshold card."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.cli.terminal import say
from edge.errors import ConfigError

SUMMARY = "good frames -> threshold card"

DESCRIPTION = """\
Take the image threshold and the pixel threshold from good frames alone, on the masked and smoothed map that the station
will judge, and save them with everything needed to believe them as a new version of the recipe.

methods (image threshold; docs/recipe.md has the formulas):
  max       the highest score of the good frames
  quantile  an upper order statistic: of frames to come, at most 1 - q are expected above it; with fewer than 1 / (1 - q)
            frames the highest score. A margin for what so few frames cannot show is added: 5 spreads at 5 frames, less
            with more frames
  sigma     mean + k standard deviations, never below the highest score

At least 5 frames must be usable. Refused and listed: frames that do not register, cannot be read, are the same picture
twice, or built the model; if more than half do not register, nothing is saved. The more frames, and the more days and
shifts they come from, the tighter the threshold and the better its promise.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--recipe", required=True, type=Path, metavar="RECIPE")
    parser.add_argument("--images", required=True, type=Path, metavar="DIR", help="a folder of good frames, at least 5")
    parser.add_argument("--method", required=True, choices=("max", "quantile", "sigma"))
    parser.add_argument("--quantile", type=float, default=0.995, metavar="Q", help="of --method quantile (default 0.995)")
    parser.add_argument("--sigma", type=float, default=3.0, metavar="K", help="of --method sigma (default 3)")
    parser.add_argument("--margin", type=float, metavar="M", help="spreads to add (default: 5*sqrt(5/n) for quantile, else 0)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="engine threads (default 2)")
    parser.add_argument("--who", required=True, metavar="NAME", help="who takes them; goes on the card")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="CONFIG",
        help="the station's config: binds the card to the settings of this view's camera",
    )
    parser.add_argument("--why", required=True, metavar="TEXT", help="the reason; goes on the card")


def run(args: argparse.Namespace) -> int:
    """Take them and save them."""
    from calibration.methods import Method
    from calibration.thresholds import Signature, describe, take_thresholds
    from edge.cli.progress import Progress
    from edge.parts import make_engine
    from edge.schema import validate
    from edge.settings.engines import OnnxRuntimeSettings

    fields = {"kind": args.method, "quantile": args.quantile, "sigma": args.sigma, "margin": args.margin}
    method = validate(Method, fields, "lineclear-calibrate thresholds")
    engine = validate(OnnxRuntimeSettings, {"threads": args.threads}, "lineclear-calibrate thresholds")
    signature = validate(Signature, {"who": args.who, "why": args.why}, "lineclear-calibrate thresholds")
    camera_hash = _camera_hash(args.config, args.recipe) if args.config else None
    taken = take_thresholds(
        args.recipe,
        args.images,
        method,
        signature,
        open_engine=lambda bundle: make_engine(engine, bundle),
        track=lambda paths: Progress("measuring", paths),
        camera_settings_hash=camera_hash,
    )
    say(describe(taken))
    return 0


def _camera_hash(config: Path, recipe: Path) -> str:
    """The settings of the camera that the station's config gives to the recipe's view. Raises ConfigError, RecipeError."""
    from edge.config import load_config
    from edge.recipe import load_recipe
    from edge.settings.cameras import hash_of_camera

    view, views = load_recipe(recipe).view, load_config(config).views
    if view not in views:
        raise ConfigError(f"has no view {view!r}, which the recipe is for", where=str(config), remedy="name the right config")
    return hash_of_camera(views[view].camera)
