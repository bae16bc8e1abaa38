"""`lineclear demo`: its arguments and its manual page."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.cli.manual import EXIT_STATUS

SUMMARY = "the whole job on a simulated machine"

DESCRIPTION = """\
The whole job on a simulated machine with three views, one of them through a real GenTL producer: make recipes from 20 good
frames a view, then clearances that are clear, not clear, undecided, and clear again after a nudge, over an MQTT broker on
this machine. Leaves overlays, JSON and an index.html behind.
"""

EPILOG = EXIT_STATUS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--out", type=Path, default=Path("demo-out"), metavar="DIR", help="where to (default demo-out)")


def run(args: argparse.Namespace) -> int:
    """Its exit status."""
    from edge.cli.demo import demo

    return demo(args.out)
