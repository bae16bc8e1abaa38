"""`lineclear-calibrate sweep`: the eight configurations of the line-clearance study, times the threshold methods."""

from __future__ import annotations

import argparse
from pathlib import Path

from calibration.commands import evaluate as shared

SUMMARY = "every way to mask, register and set the threshold, on labelled frames"

DESCRIPTION = """\
Judge labelled frames in the eight configurations of the line-clearance study: masked after the map is computed (PO) or
before (PRE), with the recipe's masks (M) or without (NM), registered (R) or not (NR); each with every threshold method.
One table as in the study, the curves, and the best configuration by accuracy (docs/evaluation.md).

With --bundle several bundles are compared, such as the checkpoints of one training, each with the recipe's reference,
masks and registration. Thresholds come from the good frames of --good, never from the labelled frames: if a frame is in
both, the sweep is refused. Nothing is changed: to use what is best, take thresholds with it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--recipe", required=True, type=Path, metavar="RECIPE")
    parser.add_argument(
        "--bundle", nargs="+", type=Path, default=[], metavar="BUNDLE", help="judge with these, not the recipe's"
    )
    parser.add_argument("--good", required=True, type=Path, metavar="DIR", help="good frames to take thresholds from")
    shared.add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Judge, write the report, say what came out."""
    from calibration.evaluate import sweep
    from calibration.report import sweep_document, sweep_text, write_sweep
    from calibration.station import setting
    from edge.bundle import open_bundle
    from edge.cli.progress import Meter
    from edge.recipe import load_recipe

    where = "lineclear-calibrate sweep"
    options = shared.options_of(args, shared.METHODS, where)
    place = setting(args.config, args.threads, where)
    shared.check_out(args)
    recipe = load_recipe(args.recipe)
    bundles = [open_bundle(path) for path in args.bundle]
    with Meter("judging") as meter:
        result = sweep(
            recipe,
            shared.labelled(args),
            good=args.good,
            open_engine=place.open_engine,
            bundles=bundles,
            options=options,
            progress=meter,
        )
    document = write_sweep(args.out, result) if args.out else sweep_document(result)
    shared.tell(args, document, sweep_text(result))
    return shared.NOTHING_JUDGED if result.best is None else 0
