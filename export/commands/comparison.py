"""`lineclear-export comparison`: a size and a few parameters -> a bundle that compares a frame with its reference."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import ConfigError

if TYPE_CHECKING:
    from export.adapters.comparison_model import ComparisonSettings

SUMMARY = "compare every frame with a reference; no images needed"

DESCRIPTION = """\
Write a bundle that compares every frame with a reference image: the recipe's own, or the frame's rotational median where
the recipe has `symmetry` (docs/comparison.md). Nothing is learnt and no image is needed; the thresholds come from good
frames, as always (lineclear-calibrate thresholds).

It forgives what no registration removes: pieces of the picture that lie up to --search pixels elsewhere, edges that are up
to --tolerance pixels off, light that changes slowly over the picture. What it cannot see follows from that: a part that
lies elsewhere as a whole by no more than --search, and anything narrower than about twice --tolerance.
"""

EPILOG = """\
example:
  lineclear-export comparison --size 640x640 --out bundles/board
"""

_LARGEST_SIDE = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--size", required=True, metavar="WxH", help="model size in pixels, in the reference's proportions")
    parser.add_argument("--out", required=True, type=Path, metavar="BUNDLE", help="folder to write, or a file NAME.zip")
    parser.add_argument("--search", type=int, metavar="PX", help="how far a piece may lie elsewhere (default 3; 0: none)")
    parser.add_argument("--tolerance", type=int, metavar="PX", help="how far an edge may be off (default 1)")
    parser.add_argument(
        "--patch", type=int, metavar="PX", help="side of such a piece; larger than what is looked for (default 40)"
    )
    parser.add_argument("--window", type=int, metavar="PX", help="side of the score's mean filter, odd (default side / 128)")
    parser.add_argument("--no-light", action="store_true", help="slow changes of the light are differences too")


def run(args: argparse.Namespace) -> int:
    """Write --out; 0. Raises ConfigError, BundleError."""
    from export.adapters.comparison import write_comparison
    from export.options import created_by

    size_wh = _size(args.size)
    settings = _settings(args, size_wh)
    bundle = write_comparison(args.out, size_wh, settings, created_by())
    width, height = size_wh
    sys.stdout.write(f"{bundle.name}  {args.out}  {width}x{height}  window {bundle.manifest.score.window}\n")
    return 0


def _settings(args: argparse.Namespace, size_wh: tuple[int, int]) -> ComparisonSettings:
    from edge.schema import validate
    from export.adapters.comparison_model import ComparisonSettings

    longer = max(size_wh)
    fields: dict[str, int | float] = {}
    if args.search is not None:
        fields["search_px"] = args.search
    if args.tolerance is not None:
        fields["tolerance_px"] = args.tolerance
    if args.patch is not None:
        fields["patch_cells"] = _cells(args.patch, longer)
    if args.no_light:
        fields["light_passes"] = 0
    if args.window is not None:
        if args.window % 2 == 0 or not 3 <= args.window <= longer // 2:
            remedy = f"an odd number, 3 to {longer // 2}"
            raise ConfigError(f"{args.window} is not possible", where="--window", remedy=remedy)
        fields["window"] = args.window / longer
    return validate(ComparisonSettings, fields, "lineclear-export comparison")


def _cells(patch_px: int, longer: int) -> int:
    """The odd number of cells that comes nearest to what was asked for."""
    from export.adapters.comparison_model import ComparisonSettings

    cell_px = ComparisonSettings().cell_px
    cells = 2 * round((patch_px / cell_px - 1) / 2) + 1
    if not 1 <= cells <= min(31, longer // cell_px):
        most = min(31 * cell_px, longer)
        raise ConfigError(f"{patch_px} is not possible", where="--patch", remedy=f"write {cell_px} to {most}")
    return cells


def _size(text: str) -> tuple[int, int]:
    from export.adapters.comparison import LEAST_SIDE

    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text)
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(LEAST_SIDE <= side <= _LARGEST_SIDE for side in sides):
        remedy = f"write WIDTHxHEIGHT, each {LEAST_SIDE} to {_LARGEST_SIDE}, in the proportions of the reference"
        raise ConfigError(f"{text!r} is no usable size", where="--size", remedy=remedy)
    return sides
