"""`lineclear check`: its arguments and its manual page."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "one line-clearance check"

DESCRIPTION = """\
One line clearance: see whether the station is fit, challenge it if the config says so, take fresh frames of every view,
vote, and answer for the whole station (docs/clearance.md).

The station must not be running: the check opens the same cameras and the same state folder. The answer is recorded and
published as any other.
"""

EPILOG = """\
exit status:
  0  CLEAR: every view passed
  1  NOT_CLEAR: a view failed
  2  UNDECIDED: something is not known, or the station is not fit; each view says why. Never treat it as clear
  3  there was no check: bad arguments, a wrong config, or another process runs this station

example:
  lineclear check station.yaml --batch B1204 --product tablets-10mg && start-batch
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("config", type=Path, metavar="CONFIG", help="the station's YAML file")
    parser.add_argument("--batch", required=True, metavar="B", help="the batch that is to start; goes into the record")
    parser.add_argument("--product", required=True, metavar="P", help="selects the recipes, and must be theirs")
    parser.add_argument("--operator", default="", metavar="NAME", help="who asks; goes into the record")
    parser.add_argument("--json", action="store_true", help="print the clearance as one JSON document")


def run(args: argparse.Namespace) -> int:
    """Its exit status."""
    from edge.cli.check import check

    return check(args.config, args.batch, args.product, args.operator, args.json)
