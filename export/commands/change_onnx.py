"""`lineclear-export change_onnx`: an ONNX of NVIDIA TAO VisualChangeNet -> bundle."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from edge.errors import ConfigError
from export.options import add_output, created_by, size_of, tell, training_of

SUMMARY = "a TAO VisualChangeNet export (ONNX: segment, classify)"

DESCRIPTION = """\
Take the ONNX that `visual_changenet export` wrote and make it a bundle that compares the frame with the recipe's reference.

segment   inputs input0 (test), input1 (golden); the map is 1 - P(no change) of output_final
classify  inputs input_1 (test), input_2 (golden); the image score is P(defect), or the distance of the embeddings where it
          was trained with difference_module: euclidean. There is no map: masked areas are shown the reference's pixels

The ViT backbones need a TensorRT plugin when exported on a GPU: export them with export.on_cpu: true. Encrypted .etlt files
cannot be read. Where training composed several lightings into one image, the camera's frame must be that composition.
"""

EPILOG = """\
examples:
  lineclear-export change_onnx --checkpoint changenet_segment.onnx --out bundles/board --golden good/board
  lineclear-export change_onnx --checkpoint classify.onnx --size 128x512 --lightings 4 --out classify.zip
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--checkpoint", "--onnx", required=True, type=Path, metavar="ONNX", help="the exported .onnx")
    add_output(parser)
    parser.add_argument("--size", metavar="WxH", help="size of the training, where the file leaves it open")
    parser.add_argument("--task", choices=("segment", "classify"), help="where inputs and outputs were renamed")
    parser.add_argument("--mean", metavar="R,G,B", help="of 0..1 values (default 0.5 for segment, ImageNet's for classify)")
    parser.add_argument("--std", metavar="R,G,B", help="of 0..1 values (default 0.5 for segment, ImageNet's for classify)")
    parser.add_argument("--swap", action="store_true", help="the first input is the golden image")
    parser.add_argument(
        "--lightings", type=int, default=1, metavar="N", help="pictures composed in one frame; for the manifest"
    )


def run(args: argparse.Namespace) -> int:
    """Write --out; 0. Raises ConfigError, FrameError, BundleError."""
    from export.adapters.change_onnx import Choices, adapt
    from export.onnx_surgery.bundling import write_foreign_bundle
    from export.onnx_surgery.reading import read_onnx

    size_wh = None if args.size is None else size_of(args.size)
    if not 1 <= args.lightings <= 64:
        raise ConfigError(f"{args.lightings} is not possible", where="--lightings", remedy="write 1 to 64")
    mean, std = _three(args.mean, "--mean"), _three(args.std, "--std", positive=True)
    choices = Choices(size_wh, args.task, mean, std, args.swap, args.lightings)
    adapted = adapt(read_onnx(args.checkpoint), choices, training_of(args.trained_on), created_by())
    licence = f"Converted from {args.checkpoint.name}, a TAO export; its weights are under their maker's licence.\n"
    written = write_foreign_bundle(args.out, adapted.model, adapted.declaration, args.golden, licence)
    for remark in (*adapted.remarks, *written.remarks):
        sys.stderr.write(f"lineclear-export: {remark}\n")
    parameters = adapted.declaration.parameters
    return tell(written.bundle, args.out, str(parameters["task"]), str(parameters["score"]))


def _three(text: str | None, where: str, *, positive: bool = False) -> tuple[float, ...] | None:
    if text is None:
        return None
    number = r"-?\d{1,3}(?:\.\d{1,9})?"
    values = [float(part) for part in text.split(",")] if re.fullmatch(rf"{number}(?:,{number}){{2}}", text) else []
    if not values or (positive and min(values) <= 0):
        raise ConfigError(f"{text[:40]!r} is not possible", where=where, remedy="write three numbers: 0.485,0.456,0.406")
    return tuple(values)
