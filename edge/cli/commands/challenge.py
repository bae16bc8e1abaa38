"""`lineclear challenge`: its arguments and its manual page."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "known good and known bad frames: does each view still tell them apart"

DESCRIPTION = """\
Run the known good and known bad frames of every view's recipe through the station, exactly as if its cameras had given
them, and compare each verdict with the one that it must have. lineclear-calibrate challenge puts such frames into a recipe.

The station must not be running: a running one is challenged by its clearances (clearance.challenge in the config) or over
MQTT. The outcome is remembered: while nothing of the view changes it counts for the clearances that follow.
"""

EPILOG = """\
exit status:
  0  every frame gave the verdict that it must
  1  one did not, or a view has no known frames
  3  there was no challenge: a wrong config, or another process runs this station

example:
  lineclear challenge station.yaml --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("config", type=Path, metavar="CONFIG", help="the station's YAML file")
    parser.add_argument("--product", metavar="P", help="selects the recipes (default: the config's product)")
    parser.add_argument("--operator", default="", metavar="NAME", help="who asks")
    parser.add_argument("--json", action="store_true", help="print the outcome as one JSON document")


def run(args: argparse.Namespace) -> int:
    """Its exit status."""
    from edge.cli.challenge import challenge

    return challenge(args.config, args.product, args.operator, args.json)
