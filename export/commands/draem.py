"""`lineclear-export draem`: DRAEM's two checkpoints -> a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "DRAEM: reconstruct, then segment what differs"

DESCRIPTION = """\
Export DRAEM (Zavrtanik et al. 2021) from the two checkpoints that its training writes: VitjanZ/DRAEM's NAME_.pckl and
NAME__seg.pckl, or the line-clearance study's *_REC_MODEL_n.pth and *_SEG_MODEL_n.pth. Any width. The second file is found
by its name.

The checkpoint does not say at which size it was trained: a model that runs at another size than it was trained at finds
other things. The map is the probability of an anomaly, 0 to 1; the score is the maximum of its 21x21 mean.

--masking pre takes the recipe's masks into the graph, at the logits, as the study does; post sets the finished map to 0.
For DRAEM both give the same map: its softmax runs within each pixel.
"""

EPILOG = """\
examples:
  lineclear-export draem --checkpoint DRAEM_test_0.0001_800_bs8_bottle_.pckl --size 256 --out bundles/bottle
  lineclear-export draem --checkpoint C_TEST_REC_MODEL_3000.pth --size 512 --golden good/front --out bundles/front
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    from export.options import add_output, add_precision

    parser.add_argument("--checkpoint", required=True, type=Path, metavar="FILE", help="the reconstructive half")
    parser.add_argument("--segmentation", type=Path, metavar="FILE", help="the discriminative half (default: beside it)")
    parser.add_argument("--size", default="256", metavar="WxH", help="model size, multiples of 32 (default 256)")
    parser.add_argument(
        "--masking", choices=("pre", "post", "both", "none"), default="both", help="where masks may act (default both)"
    )
    add_output(parser)
    add_precision(parser)


def run(args: argparse.Namespace) -> int:
    """Write --out; 0. Raises ConfigError, FrameError, BundleError."""
    from export.adapters.draem import LICENCE, MULTIPLE, declaration, load_draem
    from export.golden import golden_inputs
    from export.module_bundle import write_module_bundle
    from export.options import created_by, size_of, tell, training_of

    size_wh = size_of(args.size, multiple=MULTIPLE)
    model = load_draem(args.checkpoint, args.segmentation)
    declared = declaration(model, size_wh, args.masking, training_of(args.trained_on), created_by())
    golden = golden_inputs(declared, args.golden)
    bundle = write_module_bundle(args.out, model.network, declared, golden, LICENCE, float16=not args.float32_only)
    return tell(bundle, args.out, f"widths {model.reconstructive_width} and {model.discriminative_width}")
