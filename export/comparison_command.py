"""`lineclear-export comparison`: a size and a few parameters -> a bundle that compares a frame with its reference."""

from __future__ import annotations

import argparse
import importlib.metadata
import re
import sys

from edge.errors import ConfigError
from edge.schema import validate
from export.adapters.comparison import LEAST_SIDE, write_comparison
from export.adapters.comparison_model import ComparisonSettings

_LARGEST_SIDE = 4096


def export_comparison(args: argparse.Namespace) -> int:
    """Write --out; 0. Raises ConfigError, BundleError."""
    size_wh = _size(args.size)
    settings = _settings(args, size_wh)
    bundle = write_comparison(args.out, size_wh, settings, f"lineclear-export {importlib.metadata.version('lineclear')}")
    width, height = size_wh
    sys.stdout.write(f"{bundle.name}  {args.out}  {width}x{height}  window {bundle.manifest.score.window}\n")
    return 0


def _settings(args: argparse.Namespace, size_wh: tuple[int, int]) -> ComparisonSettings:
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
    cell_px = ComparisonSettings().cell_px
    cells = 2 * round((patch_px / cell_px - 1) / 2) + 1
    if not 1 <= cells <= min(31, longer // cell_px):
        most = min(31 * cell_px, longer)
        raise ConfigError(f"{patch_px} is not possible", where="--patch", remedy=f"write {cell_px} to {most}")
    return cells


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text)
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(LEAST_SIDE <= side <= _LARGEST_SIDE for side in sides):
        remedy = f"write WIDTHxHEIGHT, each {LEAST_SIDE} to {_LARGEST_SIDE}, in the proportions of the reference"
        raise ConfigError(f"{text!r} is no usable size", where="--size", remedy=remedy)
    return sides
