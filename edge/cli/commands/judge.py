"""`lineclear judge`: its arguments and its manual page."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "judge image files, offline"

DESCRIPTION = """\
Judge image files with a recipe exactly as the station would: register, infer, mask, threshold. Nothing is published.

A file that cannot be judged is UNDECIDED(frame_invalid) and the next one follows. With --json each line is one document
with the keys image, outcome, reason, detail, score, threshold, pixel_threshold, regions, alignment, stage_ms.
"""

EPILOG = """\
exit status:
  0  every image was judged, whatever the outcomes
  3  nothing was judged: no such image, or a recipe that must not be used

example:
  lineclear judge --recipe recipes/feeder shots/ --json | jq -r 'select(.outcome != "PASS") | .image'
"""
MAX_THREADS = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files, or folders of them")
    parser.add_argument("--recipe", required=True, type=Path, metavar="R", help="the recipe's folder")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write an overlay per image here")
    parser.add_argument("--json", action="store_true", help="one JSON document per line instead of a table")
    parser.add_argument("--threads", type=_threads, default=2, metavar="N", help="engine threads (default 2)")


def run(args: argparse.Namespace) -> int:
    """Its exit status."""
    from edge.cli.judge import judge

    return judge(args.recipe, args.images, args.out, args.json, args.threads)


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_THREADS:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of cores: write 1 to {MAX_THREADS}, such as 2")
    return int(text)
