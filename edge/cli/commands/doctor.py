"""`lineclear doctor`: its arguments and its manual page."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "what is installed, connected and healthy"

DESCRIPTION = """\
What is installed, connected and healthy: libraries, clock, disks, memory, heat, network, GPU, and with CONFIG its recipes,
engines, cameras, broker, audit log and what the station left behind. One line per check, OK, WARN, FAIL or SKIP, with what to
do; docs/doctor.md lists them all. It may run beside a running station: producers and engines are tried in processes of their
own, the broker with the station's credentials under another name.
"""

EPILOG = """\
exit status:
  0  nothing FAILs
  1  something FAILs; with --gpu: an engine failed, or gives other scores than the model
  2  with --gpu alone: there is no GPU here, or nothing to try
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="a station's YAML file, to check that too")
    parser.add_argument("--json", action="store_true", help="print the checks as one JSON document")
    parser.add_argument(
        "--gpu",
        nargs="*",
        type=Path,
        metavar="CONFIG|RECIPE|BUNDLE",
        help="instead: what a GPU does here with these, built, proven and timed, into one file (docs/first-gpu.md)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="of --gpu (default lineclear-gpu-report.json)")


def run(args: argparse.Namespace) -> int:
    """Its exit status."""
    if args.gpu is not None:
        from edge.cli.gpu_report import REPORT, gpu_report

        return gpu_report([*args.gpu, *([args.config] if args.config else [])], args.out or REPORT)
    from edge.cli.doctor import doctor

    return doctor(args.config, args.json)
