"""`lineclear-export capsule`: a supervised capsule classifier -> a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

from export.options import add_output, add_precision, created_by, size_of, tell, training_of

SUMMARY = "capsule classifier trained on good and bad parts: an image score"

DESCRIPTION = """\
Write the bundle of a supervised capsule classifier (dynamic routing; two or more classes, one of them good): one score per
frame. The checkpoint is a state dict in the layout of XifengGuo/CapsNet-Pytorch or of bakirillov/capsules.

It knows the defects it was shown, and may call good what it never saw. Put it beside a model that learned what good looks
like, not in its place.

--occlusion N gives a map too: the frame is shown N x N times with one cell hidden, and the map is how much the score falls.
That costs N x N passes of the network more for every frame.
"""

EPILOG = """\
examples:
  lineclear-export capsule --checkpoint epoch29.pkl --good 0 --out bundles/part
  lineclear-export capsule --checkpoint caps.pth --good 0 --size 28 --score ratio --occlusion 7 --out bundles/part
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--checkpoint", required=True, type=Path, metavar="FILE", help="a state dict")
    parser.add_argument("--good", required=True, type=int, metavar="CLASS", help="number of the class that is no defect")
    parser.add_argument(
        "--score",
        choices=("difference", "ratio", "probability", "reconstruction"),
        default="difference",
        help="length of the worst defect's capsule less the good one's (default), its share of the two, 1 less the good "
        "class's softmax, or the decoder's squared error",
    )
    parser.add_argument("--size", metavar="PX", help="side of the square image, where the checkpoint has no decoder")
    parser.add_argument("--routings", type=int, default=3, metavar="N", help="iterations of the training (default 3)")
    parser.add_argument("--occlusion", type=int, default=0, metavar="N", help="a map of N x N cells (default 0: no map)")
    parser.add_argument(
        "--resize",
        choices=("cv2_linear", "cv2_area", "antialiased_bilinear", "antialiased_bicubic"),
        default="antialiased_bilinear",
        help="kernel of the training (default antialiased_bilinear)",
    )
    add_output(parser)
    add_precision(parser)


def run(args: argparse.Namespace) -> int:
    """Read, prove and write; 0. Raises ConfigError, FrameError, BundleError."""
    from export.adapters.capsule import LICENCE, CapsuleSettings, declaration_of, module_of
    from export.checkpoint import load_checkpoint
    from export.golden import golden_inputs
    from export.module_bundle import write_module_bundle

    side = size_of(args.size, least=8)[0] if args.size else 0
    settings = CapsuleSettings(args.good, args.score, side, args.routings, args.occlusion, args.resize)
    module = module_of(load_checkpoint(args.checkpoint), settings)
    declaration = declaration_of(module, settings, training_of(args.trained_on), created_by())
    golden = golden_inputs(declaration, args.golden)
    bundle = write_module_bundle(args.out, module, declaration, golden, LICENCE, float16=not args.float32_only)
    passes = f"{args.occlusion**2 + 1} passes of the network per frame" if args.occlusion else "image score, no map"
    return tell(bundle, args.out, f"{module.network.shape.classes} classes, good is {args.good}", passes)
