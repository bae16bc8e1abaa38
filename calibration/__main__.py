"""`lineclear-calibrate`: what a technician does on site."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.cli.terminal import Parser, run_command, say
from edge.errors import ConfigError

PROG = "lineclear-calibrate"

EPILOG = """\
exit status:
  0  done
  3  bad use or bad input; one line on standard error says what, where, and what to do; nothing was changed

examples:
  lineclear-calibrate recipe --view front --reference good/000.png --bundle bundles/front --out recipes/front
  lineclear-calibrate thresholds --recipe recipes/front --images held-back --method quantile --who "A. Meier" --why "new lamp"
  lineclear-calibrate rollback --recipe recipes/front --version 2 --who "A. Meier" --why "lamp went back"
"""

RECIPE = """\
Put reference, bundle and masks of one view together as a recipe: a folder that is whole in itself and keeps every version.
If --out is a recipe of this view already, a new version is written; its thresholds are stale until they are taken again.

The reference must show the pose that the bundle was built on. If it is another image of that pose, it is registered to the
bundle's; if it cannot be, it is refused.
"""

THRESHOLDS = """\
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

ROLLBACK = "Put an old version of a recipe in force again. It is saved as a new version that says who did it, and why."


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; every command's help reads like a manual page."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog=PROG, description=__doc__, epilog=EPILOG, formatter_class=raw)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, summary: str, description: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=summary, description=description, epilog=EPILOG, formatter_class=raw)

    recipe = add("recipe", "reference + bundle + masks -> recipe", RECIPE)
    recipe.add_argument("--view", required=True, metavar="NAME", help="the view, as the station's config names it")
    recipe.add_argument("--reference", required=True, type=Path, metavar="IMAGE", help="frames are registered to this image")
    recipe.add_argument("--bundle", required=True, type=Path, metavar="BUNDLE", help="the model: a bundle's folder or zip")
    recipe.add_argument("--out", required=True, type=Path, metavar="RECIPE", help="the folder to write")
    recipe.add_argument("--masks", type=Path, metavar="FILE", help="masks.yaml: named polygons that are not judged")
    recipe.add_argument("--product", default="", metavar="P", help="the product; none: for any")
    recipe.add_argument("--registration", default="track", choices=("track", "orb", "none"), help="default: track")
    recipe.add_argument("--min-area", type=float, default=16.0, metavar="PX", help="smallest region to report (default 16)")
    recipe.add_argument("--who", default="", metavar="NAME", help="who makes it (default: the login name)")
    recipe.add_argument("--why", default="recipe made", metavar="TEXT", help="goes into the recipe's history")

    taking = add("thresholds", "good frames -> threshold card", THRESHOLDS)
    taking.add_argument("--recipe", required=True, type=Path, metavar="RECIPE")
    taking.add_argument("--images", required=True, type=Path, metavar="DIR", help="a folder of good frames, at least 5")
    taking.add_argument("--method", required=True, choices=("max", "quantile", "sigma"))
    taking.add_argument("--quantile", type=float, default=0.995, metavar="Q", help="of --method quantile (default 0.995)")
    taking.add_argument("--sigma", type=float, default=3.0, metavar="K", help="of --method sigma (default 3)")
    taking.add_argument("--margin", type=float, metavar="M", help="spreads to add (default: 5*sqrt(5/n) for quantile, else 0)")
    taking.add_argument("--threads", type=int, default=2, metavar="N", help="engine threads (default 2)")
    taking.add_argument("--who", required=True, metavar="NAME", help="who takes them; goes on the card")
    taking.add_argument(
        "--config",
        type=Path,
        metavar="CONFIG",
        help="the station's config: binds the card to the settings of this view's camera",
    )
    taking.add_argument("--why", required=True, metavar="TEXT", help="the reason; goes on the card")

    back = add("rollback", "put an old version in force again", ROLLBACK)
    back.add_argument("--recipe", required=True, type=Path, metavar="RECIPE")
    back.add_argument("--version", required=True, type=int, metavar="N")
    back.add_argument("--who", required=True, metavar="NAME")
    back.add_argument("--why", required=True, metavar="TEXT")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    return run_command(PROG, lambda: _run(build_parser().parse_args(argv)))


def _run(args: argparse.Namespace) -> int:
    commands: dict[str, Callable[[argparse.Namespace], None]] = {
        "recipe": _recipe,
        "thresholds": _thresholds,
        "rollback": _rollback,
    }
    commands[args.command](args)
    return 0


def _recipe(args: argparse.Namespace) -> None:
    from calibration.recipe import Parts, create_recipe
    from edge.settings.registration import RegistrationSettings

    parts = Parts(
        view=args.view,
        reference=args.reference,
        bundle=args.bundle,
        masks=args.masks,
        product=args.product,
        registration=RegistrationSettings(mode=args.registration),
        min_area_px=args.min_area,
    )
    version = create_recipe(args.out, parts, who=args.who or _login(), why=args.why)
    say(f"{args.out}: version {version:04d} of the recipe for view {args.view}; next: lineclear-calibrate thresholds\n")


def _thresholds(args: argparse.Namespace) -> None:
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


def _camera_hash(config: Path, recipe: Path) -> str:
    """The settings of the camera that the station's config gives to the recipe's view. Raises ConfigError, RecipeError."""
    from edge.config import load_config
    from edge.recipe import load_recipe
    from edge.settings.cameras import hash_of_camera

    view, views = load_recipe(recipe).view, load_config(config).views
    if view not in views:
        raise ConfigError(f"has no view {view!r}, which the recipe is for", where=str(config), remedy="name the right config")
    return hash_of_camera(views[view].camera)


def _rollback(args: argparse.Namespace) -> None:
    from edge.recipe import rollback

    version = rollback(args.recipe, args.version, who=args.who, why=args.why)
    say(f"{args.recipe}: version {args.version:04d} is in force again, as version {version:04d}\n")


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
