"""`lineclear-export ddad`: a DDAD or DDADS checkpoint and its feature extractor -> a bundle with a denoising loop."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge.errors import ConfigError
from export.options import add_output, add_precision, created_by, size_of, tell, training_of, validated

SUMMARY = "DDAD, DDADS: conditioned denoising, compared in features (arimousa/DDAD)"

DESCRIPTION = """\
Write a bundle from the two checkpoints of a DDAD training: the U-Net (checkpoints/.../2000) and the feature extractor of
its domain adaptation (checkpoints/.../feat4; wide_resnet101_2, wide_resnet50_2 or resnet50). Width, size, number of levels
and extractor are read from the files. What is not in them must be told, as the training's config.yaml has it: --w always.

The bundle denoises in steps, each a run of the network: --trajectory 250 --skip 25 are 10 of them. Both are part of the
model, no knobs for speed: other steps give other scores. The noise is drawn once, from --noise-seed, and is the same for
every frame on every machine, so that a frame's score is.

The map covers the whole picture, and all of it is judged. Upstream's test scores only the middle 224 of 256 pixels:
--crop 224 does the same, and sees nothing of what lies in the outer 16.
"""

EPILOG = """\
examples:
  lineclear-export ddad --checkpoint 2000 --features feat4 --w 4 --out bundles/front
  lineclear-export ddad --checkpoint 1000 --features feat3 --w 2 --v 7 --crop 224 --out front.zip --golden good/front
  lineclear-export ddad --checkpoint 3000 --features feat4 --w 4 --size 512 --pre-masking --out bundles/view-c
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--checkpoint", required=True, type=Path, metavar="UNET", help="the denoising network")
    parser.add_argument("--features", required=True, type=Path, metavar="FEAT", help="the feature extractor, featN")
    add_output(parser)
    add_precision(parser)
    parser.add_argument("--size", metavar="PX", help="what the training said; refused where the checkpoint says otherwise")
    model = parser.add_argument_group("of the training (config.yaml)")
    model.add_argument("--w", required=True, type=float, metavar="W", help="how firmly the picture guides (no default)")
    model.add_argument("--v", type=float, metavar="V", help="pixels against features (default 1; VisA 7)")
    model.add_argument("--trajectory", type=int, metavar="T", help="test_trajectoy_steps (default 250)")
    model.add_argument("--skip", type=int, metavar="N", help="default 25")
    model.add_argument("--steps", type=int, metavar="N", help="trajectory_steps (default 1000)")
    model.add_argument("--beta", type=float, nargs=2, metavar=("FIRST", "LAST"), help="default 0.0001 0.02")
    model.add_argument("--eta", type=float, metavar="E", help="share of fresh noise in each step (default 1)")
    model.add_argument("--heads", type=int, metavar="N", help="n_heads (default: upstream's, 4 for 64 channels, 2 for 32)")
    judged = parser.add_argument_group("how it is judged")
    judged.add_argument("--noise-seed", type=int, metavar="N", help="of the fixed noise (default 0)")
    judged.add_argument("--crop", type=int, metavar="PX", help="score this middle square only (upstream's test: 224 of 256)")
    judged.add_argument("--pre-masking", action="store_true", help="black out masked pixels before the pictures are compared")
    parser.add_argument("--quiet", action="store_true", help="no progress, only the result")


def run(args: argparse.Namespace) -> int:
    """Export, prove and write; 0. Raises ConfigError, FrameError, BundleError."""
    from edge.cli.progress import Meter
    from export.adapters.ddad import declaration, write_ddad
    from export.adapters.ddad_networks import read_ddad
    from export.adapters.ddad_settings import DdadSettings
    from export.checkpoint import load_checkpoint

    settings = validated(DdadSettings, _fields(args), _OPTIONS)
    model = read_ddad(load_checkpoint(args.checkpoint), load_checkpoint(args.features), settings)
    _check_size(args.size, model.shape.side)
    declared = declaration(model, settings, created_by(), training_of(args.trained_on))
    with Meter("prove", quiet=args.quiet) as meter:
        bundle = write_ddad(args.out, model, declared, args.golden, meter, float16=not args.float32_only)
    if settings.crop is not None:
        unseen = (model.shape.side - settings.crop + 1) // 2
        sys.stderr.write(f"lineclear-export: the outer {unseen} pixels of the picture are not judged (--crop)\n")
    return tell(bundle, args.out, model.features, f"{len(settings.timesteps)} steps, w {settings.weight:g}")


_OPTIONS = {"weight": "--w", "pixel_weight": "--v", "beta_first": "--beta", "beta_last": "--beta"}


def _fields(args: argparse.Namespace) -> dict[str, object]:
    given = {
        "weight": args.w,
        "pixel_weight": args.v,
        "trajectory": args.trajectory,
        "skip": args.skip,
        "steps": args.steps,
        "beta_first": args.beta[0] if args.beta else None,
        "beta_last": args.beta[1] if args.beta else None,
        "eta": args.eta,
        "noise_seed": args.noise_seed,
        "heads": args.heads,
        "crop": args.crop,
    }
    return {**{name: value for name, value in given.items() if value is not None}, "pre_masking": args.pre_masking}


def _check_size(text: str | None, side: int) -> None:
    if text is not None and size_of(text) != (side, side):
        raise ConfigError(
            f"{text} is not what the checkpoint was trained at ({side}x{side})",
            where="--size",
            remedy="leave it out, or give the other checkpoint",
        )
