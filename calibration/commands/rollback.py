"""`lineclear-calibrate rollback`: an old version in force again."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.cli.terminal import say

SUMMARY = "put an old version in force again"

DESCRIPTION = """\
Put an old version of a recipe in force again. It is saved as a new version that says who did it, and why: the history only
grows. `lineclear-calibrate card history RECIPE` lists the versions.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--recipe", required=True, type=Path, metavar="RECIPE", help="the recipe's folder")
    parser.add_argument("--version", required=True, type=int, metavar="N", help="the version to bring back")
    parser.add_argument("--config", type=Path, metavar="CONFIG", help="the station's config: writes its audit log too")
    parser.add_argument("--who", required=True, metavar="NAME", help="who does it; goes into the history")
    parser.add_argument("--why", required=True, metavar="TEXT", help="the reason; goes into the history")


def run(args: argparse.Namespace) -> int:
    """Do it, as a new version."""
    from calibration.auditing import trace_of
    from calibration.cards import restore
    from calibration.trace import Signature
    from edge.config import load_config
    from edge.schema import validate

    signature = validate(Signature, {"who": args.who, "why": args.why}, "lineclear-calibrate rollback")
    config = load_config(args.config) if args.config else None
    version = restore(args.recipe, args.version, signature, trace_of(config))
    say(f"{args.recipe}: version {args.version:04d} is in force again, as version {version:04d}\n")
    return 0
