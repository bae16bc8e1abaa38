"""`lineclear-export autoencoder`: an auto-encoder's checkpoint and a declaration -> a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

from export.options import add_output, add_precision, created_by, tell, training_of

SUMMARY = "auto-encoder (plain, denoising, dilated, pyramidal) with an L1, L2 or SSIM residual"

DESCRIPTION = """\
Write the bundle of an auto-encoder. Its checkpoint holds weights and nothing else, so a small YAML file declares the rest:
size, colour, range, layers, residual, score (docs/models.md explains it with examples). The names and shapes of the
checkpoint must be exactly those that the declared layers have.

--factory package.module:function makes the network from your own code instead. THIS RUNS THAT CODE on this machine, with
your rights: use it only for code that you trust. The station never runs it; the bundle holds the graph alone.
"""

EPILOG = """\
examples:
  lineclear-export autoencoder --checkpoint autoencoder_model.pth --spec texture.yaml --out bundles/texture
  PYTHONPATH=. lineclear-export autoencoder --checkpoint ae.pth --spec ae.yaml --factory mynet.model:make --out bundles/ae
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--checkpoint", required=True, type=Path, metavar="FILE", help="a state dict, or a dict that has one")
    parser.add_argument("--spec", required=True, type=Path, metavar="YAML", help="the declaration")
    parser.add_argument("--inner", metavar="KEY", help="key of the state dict within the checkpoint, where there are several")
    parser.add_argument(
        "--factory", metavar="MODULE:FUNCTION", help="make the network with your own code, which this runs (see above)"
    )
    add_output(parser)
    add_precision(parser)


def run(args: argparse.Namespace) -> int:
    """Read, prove and write; 0. Raises ConfigError, FrameError, BundleError."""
    import hashlib

    from edge.schema import load_yaml
    from export.adapters.autoencoder import LICENCE, declaration_of, module_from_factory, module_of
    from export.checkpoint import load_checkpoint
    from export.golden import golden_inputs
    from export.module_bundle import write_module_bundle
    from export.nets.autoencoder_spec import AutoencoderSpec
    from export.outline import outline

    spec, where = load_yaml(AutoencoderSpec, args.spec), str(args.spec)
    inner = args.inner or outline(args.checkpoint).inner
    checkpoint = load_checkpoint(args.checkpoint, inner=inner, strip=("module.", "model."))
    source = {"spec_sha256": hashlib.sha256(args.spec.read_bytes()).hexdigest()}
    if args.factory:
        module = module_from_factory(checkpoint, spec, args.factory, where)
        source["factory"] = args.factory
    else:
        module = module_of(checkpoint, spec, where)
    declaration = declaration_of(spec, source, training_of(args.trained_on), created_by())
    golden = golden_inputs(declaration, args.golden)
    bundle = write_module_bundle(args.out, module, declaration, golden, LICENCE, float16=not args.float32_only)
    return tell(bundle, args.out, f"residual {spec.residual.kind}", f"score {spec.score}")
