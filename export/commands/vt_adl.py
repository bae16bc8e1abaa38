"""`lineclear-export vt_adl`: VT-ADL's two checkpoints -> a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

from export.options import add_output, add_precision, created_by, tell, training_of

SUMMARY = "VT-ADL: vision transformer, reconstruction and mixture density"

DESCRIPTION = """\
Write the bundle of a VT-ADL network (pankajmishra000/VT-ADL): a map and an image score at 512 x 512. Its training saves two
files, and both are needed: VT_AE_*.pt and G_estimate_*.pt.

The training resizes to 550 and keeps the middle 512: the outermost 3.5 % on each side are not looked at. --whole shows the
network the whole view instead, at a scale it was not trained with.

The score is mse - ssim + the worst patch. Upstream's own test has the sign of ssim the wrong way round; --score upstream
gives its figures, to compare with a paper.
"""

EPILOG = """\
examples:
  lineclear-export vt_adl --checkpoint VT_AE_Mvtech_cable.pt --density G_estimate_Mvtech_cable.pt --out bundles/cable
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--checkpoint", required=True, type=Path, metavar="FILE", help="VT_AE_*.pt")
    parser.add_argument("--density", required=True, type=Path, metavar="FILE", help="G_estimate_*.pt of the same training")
    parser.add_argument("--heads", type=int, default=8, metavar="N", help="of the encoder; no file says it (default 8)")
    parser.add_argument(
        "--score", choices=("trained", "upstream"), default="trained", help="sign of ssim in the image score (default trained)"
    )
    parser.add_argument("--whole", action="store_true", help="no crop: the whole view at 512 x 512")
    add_output(parser)
    add_precision(parser)


def run(args: argparse.Namespace) -> int:
    """Read, prove and write; 0. Raises ConfigError, FrameError, BundleError."""
    from export.adapters.vt_adl import LICENCE, VtAdlSettings, declaration_of, module_of
    from export.checkpoint import load_checkpoint
    from export.golden import golden_inputs
    from export.module_bundle import write_module_bundle

    settings = VtAdlSettings(args.heads, args.score, not args.whole)
    module = module_of(load_checkpoint(args.checkpoint), load_checkpoint(args.density), settings)
    declaration = declaration_of(module, settings, training_of(args.trained_on), created_by())
    golden = golden_inputs(declaration, args.golden)
    bundle = write_module_bundle(args.out, module, declaration, golden, LICENCE, float16=not args.float32_only)
    shape = module.encoder.shape
    return tell(bundle, args.out, f"{shape.depth} blocks, patches of {shape.patch}", f"score {args.score}")
