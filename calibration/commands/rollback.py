"""`lineclear-calibrate rollback`: an old version in force again."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.cli.terminal import say

SUMMARY = "put an old version in force again"

DESCRIPTION = "Put an old version of a recipe in force again. It is saved as a new version that says who did it, and why."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--recipe", required=True, type=Path, metavar="RECIPE")
    parser.add_argument("--version", required=True, type=int, metavar="N")
    parser.add_argument("--who", required=True, metavar="NAME")
    parser.add_argument("--why", required=True, metavar="TEXT")


def run(args: argparse.Namespace) -> int:
    """Do it, as a new version."""
    from edge.recipe import rollback

    version = rollback(args.recipe, args.version, who=args.who, why=args.why)
    say(f"{args.recipe}: version {args.version:04d} is in force again, as version {version:04d}\n")
    return 0
