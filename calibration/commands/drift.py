"""`lineclear-calibrate drift`: whether the thresholds still fit the line."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.cli.terminal import say, say_json
from edge.errors import ConfigError

SUMMARY = "do the thresholds still fit? is the camera moving, getting dark or soft?"
STATUS = {"ok": 0, "act": 1, "unknown": 2}

DESCRIPTION = """\
Hold recent frames against what the recipe's card and reference were made from: the scores (Kolmogorov-Smirnov and population
stability index, over the whole time and by day, corrected for the number of days), the alignment (does the camera creep, did
it jump), and where frames are kept their light and focus. Says what to do, with the evidence.

Frames come from the station's archive (--config or --archive), from results that were written down (--results: one JSON
document a line), or from a folder (--images). docs/drift.md explains the tests and their limits.

With --config and --all, every view of the station with the product that is in force; --keep leaves the outcome in
STATE_DIR/checks/drift.json for the station and its alarms. That is what the timer lineclear-drift@ runs.

exit status: 0 nothing to do, 1 something to do, 2 too little data to say, 3 bad use, or a view that cannot be looked at
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--recipe", type=Path, metavar="RECIPE", help="the recipe of one view")
    parser.add_argument("--all", action="store_true", help="every view of --config, with the product in force")
    parser.add_argument("--keep", action="store_true", help="with --all: keep the outcome for the station and its alarms")
    parser.add_argument("--config", type=Path, metavar="CONFIG", help="the station's config: its archive is read")
    parser.add_argument("--archive", type=Path, metavar="DIR", help="an archive's folder")
    parser.add_argument("--results", type=Path, metavar="FILE", help="published results, one JSON document a line")
    parser.add_argument("--images", type=Path, metavar="DIR", help="a folder of frames in the order of time")
    parser.add_argument("--days", type=float, metavar="N", help="only the last N days (default: all there is)")
    parser.add_argument(
        "--time-format", default="", metavar="F", help="how file names of --images begin, as strptime has it, in UTC"
    )
    parser.add_argument("--group", type=int, default=10, metavar="N", help="frames in a group without times (default 10)")
    parser.add_argument("--threads", type=int, metavar="N", help="engine threads for --images (default 2)")
    parser.add_argument("--json", action="store_true", help="the result as one line of JSON, with figures for health")


def run(args: argparse.Namespace) -> int:
    """Look, and say what is to be done."""
    from calibration.drift import DriftSettings, judge_drift
    from calibration.drift.all_views import run_all
    from calibration.drift.gathering import readings_of
    from calibration.drift.telling import describe, document
    from edge.recipe import load_recipe

    if args.all:
        return run_all(args)
    if args.keep:
        raise ConfigError("goes with --all", where="--keep", remedy="write --config CONFIG --all --keep")
    if args.recipe is None:
        raise ConfigError("is missing", where="--recipe", remedy="name a recipe, or write --config CONFIG --all")
    recipe = load_recipe(args.recipe)
    report = judge_drift(readings_of(args, recipe), recipe.card, recipe.view, DriftSettings())
    if args.json:
        say_json(document(report))
    else:
        say(describe(report))
    return STATUS[report.status]
