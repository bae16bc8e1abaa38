"""`lineclear doctor`: its arguments and its manual page."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "what is installed, connected and healthy"

DESCRIPTION = """\
What is installed, connected and healthy: libraries, clock, disk, and with CONFIG its recipes, cameras and broker. One line
per check, OK, WARN or FAIL, with what to do. Cameras are looked for in a process of its own, so that a broken producer
cannot hurt; the broker is tried with the station's own credentials.
"""

EPILOG = """\
exit status:
  0  nothing FAILs
  1  something FAILs
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="a station's YAML file, to check that too")
    parser.add_argument("--json", action="store_true", help="print the checks as one JSON document")


def run(args: argparse.Namespace) -> int:
    """Its exit status."""
    from edge.cli.doctor import doctor

    return doctor(args.config, args.json)
