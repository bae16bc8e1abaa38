"""`lineclear-export`: from an upstream model, or from good images, to a verified bundle."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.cli.terminal import Parser, run_command
from edge.errors import ConfigError

PROG = "lineclear-export"

EPILOG = """\
exit status:
  0  the bundle was written, opened again and verified
  3  bad use or bad input; one line on standard error says what, where, and what to do

examples:
  lineclear-export variation --images good/front --out bundles/front
  lineclear-export variation --images good/front --out front.zip --reference good/front/017.png --size 640x480
  lineclear-export comparison --size 640x640 --out bundles/board
"""

VARIATION = """\
Learn the variation model: the median of good frames is the ideal image, and how far they spread around it is what is
allowed. No training, no GPU, seconds of work. It is the station's default model and the one that others must beat.

Take 15 to 30 good frames as the station will take them: same camera, exposure and light, over a shift rather than within
a minute, so that the spread of a normal day is in them. Keep other good frames back for the thresholds: the images that
built a model never make its thresholds (lineclear-calibrate refuses them).

Every frame is registered to the reference. Those that cannot be are refused and listed; fewer than 5 that can are an
error. A frame that differs far more from the ideal than the others is named: look whether it is good at all.
"""

COMPARISON = """\
Write a bundle that compares every frame with a reference image: the recipe's own, or the frame's rotational median where
the recipe has `symmetry` (docs/comparison.md). Nothing is learnt and no image is needed; the thresholds come from good
frames, as always (lineclear-calibrate thresholds).

It forgives what no registration removes: pieces of the picture that lie up to --search pixels elsewhere, edges that are up
to --tolerance pixels off, light that changes slowly over the picture. What it cannot see follows from that: a part that
lies elsewhere as a whole by no more than --search, and anything narrower than about twice --tolerance.
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; one command per model family."""
    parser = Parser(prog=PROG, description=__doc__, epilog=EPILOG)
    families = parser.add_subparsers(dest="family", required=True, metavar="FAMILY")
    _add_variation(
        families.add_parser(
            "variation", help="learn the variation model from good images", description=VARIATION, epilog=EPILOG
        )
    )
    _add_comparison(
        families.add_parser(
            "comparison", help="compare every frame with a reference; no images needed", description=COMPARISON, epilog=EPILOG
        )
    )
    return parser


def _add_variation(variation: argparse.ArgumentParser) -> None:
    variation.add_argument("--images", required=True, type=Path, metavar="DIR", help="folder of good frames, at least 5")
    variation.add_argument("--out", required=True, type=Path, metavar="BUNDLE", help="folder to write, or a file NAME.zip")
    variation.add_argument("--reference", type=Path, metavar="IMAGE", help="register to this one (default: the first frame)")
    variation.add_argument(
        "--masks", type=Path, metavar="FILE", help="masks.yaml: nothing under a mask guides the registration"
    )
    variation.add_argument(
        "--registration", choices=("track", "orb", "none"), default="track", help="as in the recipe (default track)"
    )
    variation.add_argument("--size", metavar="WxH", help="model size in pixels (default: half the reference's size)")
    variation.add_argument(
        "--max-megapixels", type=float, metavar="MP", help="bound of the default size (default 0.5); larger is slower"
    )
    variation.add_argument("--window", type=int, metavar="PX", help="side of the score's mean filter, odd (default width / 32)")
    variation.add_argument("--quiet", action="store_true", help="no progress, only the result")


def _add_comparison(comparison: argparse.ArgumentParser) -> None:
    comparison.add_argument("--size", required=True, metavar="WxH", help="model size in pixels, in the reference's proportions")
    comparison.add_argument("--out", required=True, type=Path, metavar="BUNDLE", help="folder to write, or a file NAME.zip")
    comparison.add_argument("--search", type=int, metavar="PX", help="how far a piece may lie elsewhere (default 3; 0: none)")
    comparison.add_argument("--tolerance", type=int, metavar="PX", help="how far an edge may be off (default 1)")
    comparison.add_argument(
        "--patch", type=int, metavar="PX", help="side of such a piece; larger than what is looked for (default 40)"
    )
    comparison.add_argument(
        "--window", type=int, metavar="PX", help="side of the score's mean filter, odd (default side / 128)"
    )
    comparison.add_argument("--no-light", action="store_true", help="slow changes of the light are differences too")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one export; returns its exit status."""
    return run_command(PROG, lambda: _run(build_parser().parse_args(argv)))


def _run(args: argparse.Namespace) -> int:
    try:
        from export.comparison_command import export_comparison
        from export.variation_command import export_variation
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise ConfigError("the package onnx is not installed", remedy="pip install onnx") from None
    return export_comparison(args) if args.family == "comparison" else export_variation(args)


if __name__ == "__main__":
    sys.exit(main())
