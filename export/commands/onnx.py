"""`lineclear-export onnx`: any ONNX file, with a manifest that says what nobody can read from it -> bundle."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge.errors import ConfigError
from export.options import add_output, created_by, tell, training_of

SUMMARY = "any ONNX file, with a manifest that you write"

DESCRIPTION = """\
Make a bundle of any ONNX file that takes one or two images (and, if it likes, the area to judge) and gives a map, a score or
both. What the file does not say, a manifest must: colour order, range, normalisation, resize kernel, which output is what.

First --template FILE writes that manifest, filled in as far as the file tells; every TODO in it is yours to answer. Then
--manifest FILE --out BUNDLE checks it and writes the bundle. Every mistake is named with its key.
"""

EPILOG = """\
examples:
  lineclear-export onnx --checkpoint net.onnx --template net.yaml
  lineclear-export onnx --checkpoint net.onnx --manifest net.yaml --out bundles/net --golden good/front
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--checkpoint", "--onnx", required=True, type=Path, metavar="ONNX", help="the .onnx file")
    add_output(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--template", type=Path, metavar="FILE", help="write the manifest to fill in here, and stop")
    which.add_argument("--manifest", type=Path, metavar="FILE", help="the manifest, filled in")
    for action in parser._actions:
        if action.dest == "out":
            action.required = False


def run(args: argparse.Namespace) -> int:
    """Write the template, or the bundle; 0. Raises ConfigError, FrameError, BundleError."""
    from edge.schema import load_yaml
    from export.adapters.onnx_any import adapt
    from export.adapters.onnx_any_manifest import OnnxManifest, template
    from export.onnx_surgery.bundling import write_foreign_bundle
    from export.onnx_surgery.reading import read_onnx

    foreign = read_onnx(args.checkpoint)
    if args.template is not None:
        try:
            with args.template.open("x", encoding="utf-8") as stream:
                stream.write(template(foreign))
        except FileExistsError:
            raise ConfigError("is there already", where=str(args.template), remedy="choose another name") from None
        sys.stdout.write(f"{args.template}  fill in every TODO, then: --manifest {args.template} --out BUNDLE\n")
        return 0
    if args.out is None:
        raise ConfigError("is needed", where="--out", remedy="name the bundle's folder, or NAME.zip")
    manifest = load_yaml(OnnxManifest, args.manifest)
    model, declaration = adapt(foreign, manifest, training_of(args.trained_on), created_by(), str(args.manifest))
    written = write_foreign_bundle(args.out, model, declaration, args.golden, manifest.licence + "\n")
    for remark in (*foreign.remarks, *written.remarks):
        sys.stderr.write(f"lineclear-export: {remark}\n")
    return tell(written.bundle, args.out, *(f"{each.gives} from {each.name}" for each in manifest.outputs))
