"""`lineclear validate`: its arguments and its manual page."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "check a config, a recipe or a bundle"

DESCRIPTION = """\
Read a config and every recipe, bundle and file that it names; or a recipe; or a bundle, which is also run against its
golden vectors; or a masks file. No camera and no broker is touched: that is `lineclear doctor`.
"""

EPILOG = """\
exit status:
  0  all are sound
  3  one line per problem on standard error: file, key, what is wrong, what to write
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="CONFIG|RECIPE|BUNDLE", help="what to check")


def run(args: argparse.Namespace) -> int:
    """Its exit status."""
    from edge.cli.validate import validate

    return validate(args.paths)
