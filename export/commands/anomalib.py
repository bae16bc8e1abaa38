"""`lineclear-export anomalib`: an ONNX that anomalib exported -> bundle."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from export.options import add_output, created_by, size_of, tell, training_of

SUMMARY = "an anomalib export (ONNX, 0.3 to 2.7)"

DESCRIPTION = """\
Take the ONNX file that anomalib exported (model.to_onnx, or export_type: onnx) and make it a bundle: one image, fixed size,
weights embedded, opset 17, uint8 in, raw scores out.

Thresholds, range and clamp that anomalib bakes into the graph are bypassed where the raw scores can be reached; they are
kept in the manifest (upstream_image_threshold, upstream_pixel_threshold: in raw units) as a first guess. Where they cannot
be reached, the scores stay clamped to 0..1 and the command says so. A resize in the graph is not antialiased, unlike the
training's: it is left out, and the station resizes as the training did.

Keep model.onnx together with what was written beside it: model.onnx.data, metadata.json (0.x and 1.x). A .pt or .ckpt cannot
be read safely (it is a pickled program): export to ONNX where it was trained.
"""

EPILOG = """\
examples:
  lineclear-export anomalib --checkpoint weights/onnx/model.onnx --out bundles/bottle --golden good/front
  lineclear-export anomalib --checkpoint model.onnx --size 256x256 --normalise imagenet --out bottle.zip
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--checkpoint", "--onnx", required=True, type=Path, metavar="ONNX", help="the exported model.onnx")
    add_output(parser)
    parser.add_argument("--size", metavar="WxH", help="size of the training, where the file leaves it open")
    parser.add_argument(
        "--normalise", choices=("imagenet", "none"), help="where neither the graph nor metadata.json says it (0.x)"
    )
    parser.add_argument(
        "--resize",
        choices=("antialiased_bilinear", "antialiased_bicubic", "cv2_linear", "cv2_area"),
        help="the training's kernel (default antialiased_bilinear; cv2_linear for 0.x)",
    )
    parser.add_argument("--keep-resize", action="store_true", help="leave the graph's own resize in")
    parser.add_argument(
        "--score", choices=("auto", "graph", "max"), default="auto", help="image score: the graph's own or the map's maximum"
    )


def run(args: argparse.Namespace) -> int:
    """Write --out; 0. Raises ConfigError, FrameError, BundleError."""
    from export.adapters.anomalib import Choices, adapt
    from export.onnx_surgery.bundling import write_foreign_bundle
    from export.onnx_surgery.reading import read_onnx

    size_wh = None if args.size is None else size_of(args.size)
    choices = Choices(size_wh, args.normalise, args.resize, args.keep_resize, args.score)
    adapted = adapt(read_onnx(args.checkpoint), choices, training_of(args.trained_on), created_by())
    licence = f"Converted from {args.checkpoint.name}, an anomalib export; its weights are under their maker's licence.\n"
    written = write_foreign_bundle(args.out, adapted.model, adapted.declaration, args.golden, licence)
    for remark in (*adapted.remarks, *written.remarks):
        sys.stderr.write(f"lineclear-export: {remark}\n")
    parameters = adapted.declaration.parameters
    return tell(written.bundle, args.out, f"anomalib {parameters['anomalib_layout']}", f"scores {parameters['scores']}")
