"""`lineclear run`: its arguments and its manual page."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "run the station until SIGTERM or SIGINT"

DESCRIPTION = """\
Open cameras, engine and broker of a station, and judge every trigger until SIGTERM or SIGINT (Ctrl-C).

A camera, a recipe or a broker that is not there does not stop it: verdicts of that view are UNDECIDED and say why, results
wait on disk for the broker. A config that cannot be used does not either, if there is one with which the station ran well
before: it comes up with that in safe mode, answers, and judges nothing. Only one process can run a station. The log goes to
standard error.
"""

EPILOG = """\
exit status:
  0  stopped by a signal; no process, no shared memory, no open file is left
  1  a library held the whole program for a minute: the log has every thread's stack
  3  it could not start: the config is wrong and no last good one was kept, or another process runs this station
  4  a part of it hung: what waited was answered; whoever started it starts it again
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("config", type=Path, metavar="CONFIG", help="the station's YAML file")


def run(args: argparse.Namespace) -> int:
    """Its exit status."""
    from edge.cli.run import run as run_station

    return run_station(args.config)
