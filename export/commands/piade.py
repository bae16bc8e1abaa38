"""`lineclear-export piade`: PIADE's checkpoint -> a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

from export.options import add_output, add_precision, created_by, tell, training_of

SUMMARY = "PIADE: pyramidal capsules, reconstruction error as the image score, no map"

DESCRIPTION = """\
Write the bundle of a PIADE network (pankajmishra000/PIADE): one score per frame, no map. The verdict says that something is
wrong, not where.

The score compares the frame with its reconstruction: mse - ssim + a difference of VGG-11 features. The weights of VGG-11
are not in the checkpoint: give torchvision's vgg11-8a719046.pth (or any state dict with features.0 and features.3).

The training resizes to 156 and keeps the middle 120: the outermost 11.5 % on each side are not looked at. --whole shows
the network the whole view instead, at a scale it was not trained with.
"""

EPILOG = """\
examples:
  lineclear-export piade --checkpoint Mvtech_bottle.pt --vgg vgg11-8a719046.pth --out bundles/bottle
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--checkpoint", required=True, type=Path, metavar="FILE", help="Mvtech_*.pt")
    parser.add_argument(
        "--vgg", required=True, type=Path, metavar="FILE", help="VGG-11 trained on ImageNet, torchvision's keys"
    )
    parser.add_argument("--whole", action="store_true", help="no crop: the whole view at 120 x 120")
    add_output(parser)
    add_precision(parser)


def run(args: argparse.Namespace) -> int:
    """Read, prove and write; 0. Raises ConfigError, FrameError, BundleError."""
    from export.adapters.piade import LICENCE, declaration_of, module_of
    from export.checkpoint import load_checkpoint
    from export.golden import golden_inputs
    from export.module_bundle import write_module_bundle

    module = module_of(load_checkpoint(args.checkpoint), load_checkpoint(args.vgg))
    declaration = declaration_of(module, not args.whole, training_of(args.trained_on), created_by())
    golden = golden_inputs(declaration, args.golden)
    bundle = write_module_bundle(args.out, module, declaration, golden, LICENCE, float16=not args.float32_only)
    return tell(bundle, args.out, module.network.shape.resnet.name, "image score, no map")
