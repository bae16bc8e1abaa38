"""`lineclear-export parity`: whether the engine judges as the float32 model does."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.cli.terminal import say, say_json
from edge.errors import ConfigError

SUMMARY = "compare a bundle's float16 file and engine with its float32 file"

DESCRIPTION = """\
Run the float32 file, the float16 file and, where the machine has a GPU, the engine on the same frames, and compare what
matters: verdicts at the card's thresholds, scores in units of the threshold's distance and of the good frames' spread,
maps, and the share of half layers. docs/parity.md has the limits and their reasons.

Frames: the bundle's golden vectors; with --recipe its challenge frames; with --images the images of a folder. With a recipe
they are registered, masked and judged as the station does it; without one they are only brought to the model's size, and
held to the bundle's own limits.

--keep writes the report into the recipe, as a new version: the station then knows that its engine was compared, and does
not use one that was beyond a limit.
"""

EPILOG = """\
exit status of parity:
  0  equal
  1  beyond a limit
  2  equal as far as it could be run: an engine could not be run here; the output says which and why
  3  bad use or bad input

examples:
  lineclear-export parity bundles/front
  lineclear-export parity bundles/front --recipe recipes/front --images good/ --engine onnxruntime
  sudo -u lineside lineclear-export parity bundles/front --recipe recipes/front --config station.yaml \\
      --keep --who "A. Meier" --why "new GPU"
  lineclear-export parity bundles/front --against bundles/front-exported-again
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle's folder or .zip")
    parser.add_argument("--recipe", type=Path, metavar="RECIPE", help="its challenge frames, masks, registration, thresholds")
    parser.add_argument("--images", type=Path, metavar="DIR", help="more frames of this view, good or bad")
    parser.add_argument(
        "--engine",
        choices=("onnxruntime", "tensorrt", "tensorrt_rtx", "none"),
        help="up to which: the two files on ONNX Runtime, or these and an engine; none: the float32 file alone "
        "(default: what the config names, else whatever engine this machine can run)",
    )
    parser.add_argument("--against", type=Path, metavar="PATH", help="another bundle, or the folder of another engine cache")
    parser.add_argument("--config", type=Path, metavar="CONFIG", help="the station's: its engine, and its audit log for --keep")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where engines are kept (default: the config's)")
    parser.add_argument("--keep", action="store_true", help="write the report into the recipe (needs --recipe, --who, --why)")
    parser.add_argument("--who", metavar="NAME", help="who keeps it")
    parser.add_argument("--why", metavar="TEXT", help="goes into the recipe's history")
    parser.add_argument("--json", action="store_true", help="the report as one JSON document")


def run(args: argparse.Namespace) -> int:
    """Its exit status."""
    from edge.bundle import open_bundle
    from edge.config import load_config
    from export.parity import Subject, report_of
    from export.parity_running import Asked, compared, plan_for, recipe_of
    from export.parity_text import status_of, text_of

    _check(args)
    bundle = open_bundle(args.bundle)
    config = load_config(args.config) if args.config else None
    recipe = recipe_of(args.recipe, bundle.content_hash)
    subject = Subject(bundle, recipe, args.images)
    plan = plan_for(Asked(args.engine, args.cache, args.against), subject, config)
    comparisons, missing = compared(subject, plan, quiet=args.json)
    report = report_of(subject, comparisons, missing, args.who or "nobody signed", args.why or "not kept")
    kept = ""
    if args.keep and recipe is not None:
        from edge.schema import validate
        from export.parity_keeping import Signature, keep

        signature = validate(Signature, {"who": args.who, "why": args.why}, "lineclear-export parity")
        version, report = keep(recipe, report, signature, config)
        kept = f"kept in version {version:04d} of {args.recipe}\n"
    if args.json:
        say_json(report.model_dump(mode="json", by_alias=True))
    else:
        say(text_of(report) + kept)
    return status_of(report)


def _check(args: argparse.Namespace) -> None:
    where = "lineclear-export parity"
    if args.keep and not (args.recipe and args.who and args.why):
        raise ConfigError(
            "--keep needs --recipe, --who and --why", where=where, remedy="a report is kept in a recipe, and signed"
        )
    if args.keep and args.against:
        raise ConfigError("--keep does not go with --against", where=where, remedy="keep the comparison with the float32 file")
    if args.config and args.engine in ("tensorrt", "tensorrt_rtx"):
        remedy = "leave --engine out: the config names its engine"
        raise ConfigError("--engine does not go with --config", where=where, remedy=remedy)
