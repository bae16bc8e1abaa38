"""`lineclear-export inspect`: what a file is, and how to export it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

SUMMARY = "say what a checkpoint, an ONNX file or a bundle is"

DESCRIPTION = """\
Look at a file and say what it is: the family of a checkpoint by the names and shapes of its tensors, its width and size,
how many parameters it has, what it does not say and you must; the inputs and outputs of an ONNX file; the manifest of a
bundle. Nothing in the file is run: a checkpoint that holds Python objects rather than weights is refused with what it
asked for.
"""

EPILOG = """\
examples:
  lineclear-export inspect DRAEM_test_0.0001_800_bs8_bottle_.pckl
  lineclear-export inspect model.onnx --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a checkpoint, an ONNX file, or a bundle (folder or .zip)")
    parser.add_argument("--json", action="store_true", help="for a program")


def run(args: argparse.Namespace) -> int:
    """Print it; 0. Raises BundleError for what cannot be read."""
    from export.inspecting import examine

    finding = examine(args.file)
    sys.stdout.write(json.dumps(finding.document(), indent=2) + "\n" if args.json else finding.text())
    return 0
