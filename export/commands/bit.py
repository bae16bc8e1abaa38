"""`lineclear-export bit`: a checkpoint of BIT change detection -> a bundle that compares a frame with its reference."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import ConfigError
from export.options import add_output, add_precision, created_by, size_of, tell, training_of, validated

if TYPE_CHECKING:
    from edge.bundle import Crop, Tiling

SUMMARY = "BIT: change between a frame and its reference (justchenhao/BIT_CD, the gear project)"

DESCRIPTION = """\
Write a bundle from a checkpoint of BIT_CD (best_ckpt.pt or last_ckpt.pt): base_resnet18, base_transformer_pos_s4, _dd8 or
_dd8_dedim8, told from its tensors. The frame is what upstream calls B, the picture after; the reference is A: the recipe's
own, or the frame's rotational median where the recipe has `symmetry` (docs/gear.md).

The map is the probability of a change; 0.5 is upstream's decision. Upstream has no score for a whole picture: here it is
the highest mean of the map in a square of --window pixels (17: the 300 pixels that the gear project lets count).

--size is the whole picture's, in the reference's proportions; larger than the network was trained at, with --tile.
Code and published weights of BIT_CD are for non-commercial use, says its README: look whose checkpoint it is.
"""

EPILOG = """\
examples:
  lineclear-export bit --checkpoint best_ckpt.pt --size 256 --out bundles/board
  lineclear-export bit --checkpoint best_ckpt.pt --size 1024 --tile 512 --overlap 0 --grey --out bundles/gear
"""

_MULTIPLE = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--checkpoint", required=True, type=Path, metavar="FILE", help="best_ckpt.pt, as upstream wrote it")
    add_output(parser)
    add_precision(parser)
    parser.add_argument("--size", required=True, metavar="WxH", help="of the whole picture; sides divisible by 8")
    parser.add_argument("--tile", type=int, metavar="PX", help="run in squares of this side, as the network was trained (512)")
    parser.add_argument("--overlap", type=int, metavar="PX", help="of the tiles (default an eighth of --tile)")
    parser.add_argument("--window", type=int, metavar="PX", help="side of the score's mean filter, odd (default 17)")
    parser.add_argument("--grey", action="store_true", help="it was trained on grey pictures")
    parser.add_argument(
        "--crop", type=float, nargs=4, metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"),
        help="the part of the reference that it sees, in 0..1 of its width and height (default: all)",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress, only the result")


def run(args: argparse.Namespace) -> int:
    """Export, prove and write; 0. Raises ConfigError, FrameError, BundleError."""
    from edge.cli.progress import Meter
    from export.adapters.bit import BitSettings, declaration, write_bit
    from export.adapters.bit_network import read_bit

    size_wh = size_of(args.size, multiple=_MULTIPLE)
    fields = {"size_wh": size_wh, "tiling": _tiling(args, size_wh), "grey": args.grey, "crop": _crop(args.crop)}
    if args.window is not None:
        _check_window(args.window, min(size_wh))
        fields["window"] = args.window
    settings = validated(BitSettings, fields, {})
    model = read_bit(args.checkpoint, grey=settings.grey)
    declared = declaration(model, settings, created_by(), training_of(args.trained_on))
    with Meter("prove", quiet=args.quiet) as meter:
        bundle = write_bit(args.out, model, declared, args.golden, meter, float16=not args.float32_only)
    tiles = 1 if settings.tiling is None else len(settings.tiling.corners(size_wh))
    sys.stderr.write(
        "lineclear-export: BIT_CD is for non-commercial use: look whose checkpoint it is (LICENSE in the bundle)\n"
    )
    return tell(bundle, args.out, model.shape.variant or "unnamed build", f"{tiles} tiles" if tiles > 1 else "whole")


def _tiling(args: argparse.Namespace, size_wh: tuple[int, int]) -> Tiling | None:
    from edge.bundle import Tiling
    from edge.schema import validate

    if args.tile is None:
        if args.overlap is not None:
            raise ConfigError("is of no use without --tile", where="--overlap", remedy="leave it out")
        return None
    if args.tile % _MULTIPLE or not 32 <= args.tile <= min(size_wh):
        remedy = f"a multiple of {_MULTIPLE}, 32 to {min(size_wh)}"
        raise ConfigError(f"{args.tile} is not possible", where="--tile", remedy=remedy)
    overlap = args.tile // 8 if args.overlap is None else args.overlap
    return validate(Tiling, {"size": args.tile, "overlap": overlap}, "--overlap")


def _crop(given: list[float] | None) -> Crop | None:
    from edge.bundle import Crop
    from edge.schema import validate

    if given is None:
        return None
    return validate(Crop, dict(zip(("left", "top", "right", "bottom"), given, strict=True)), "--crop")


def _check_window(window: int, side: int) -> None:
    if window % 2 == 0 or not 1 <= window <= min(501, side // 2):
        raise ConfigError(f"{window} is not possible", where="--window", remedy=f"an odd number, 1 to {min(501, side // 2)}")
