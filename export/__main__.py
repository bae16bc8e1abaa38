"""`lineclear-export`: from an upstream model, or from good images, to a verified bundle, an engine, and the proof of both."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import Final

from edge.cli.terminal import Parser, run_command
from edge.errors import ConfigError

PROG = "lineclear-export"
COMMANDS: Final = (
    "draem", "ddad", "bit", "vt_adl", "piade", "autoencoder", "capsule", "mahalanobis", "anomalib", "change_onnx", "onnx",
    "variation", "comparison", "inspect", "engine", "parity",
)  # fmt: skip
# What each package is installed by; torch is a large download that only checkpoints need.
_EXTRAS = {"onnx": "onnx", "torch": "export", "sklearn": "calibration", "tensorrt_rtx": "tensorrt-rtx"}

EXIT_STATUS = """\
exit status:
  0  done; a bundle that was written was opened again and verified
  1  parity: the engine does not compute what the bundle says
  2  parity: equal as far as it could be run here
  3  bad use or bad input; one line on standard error says what, where, and what to do
"""

EXAMPLES = """\
examples:
  lineclear-export inspect DOWNLOADED.pckl
  lineclear-export variation --images good/front --out bundles/front
  lineclear-export comparison --size 640x640 --out bundles/board
  lineclear-export draem --checkpoint DRAEM_bottle_.pckl --out bundles/bottle
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; one command per model family, and those that look at what was made."""
    parser = Parser(prog=PROG, description=__doc__, epilog=f"{EXIT_STATUS}\n{EXAMPLES}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        if importlib.util.find_spec(f"export.commands.{name}") is None:
            continue
        module = importlib.import_module(f"export.commands.{name}")
        command = commands.add_parser(
            name, help=module.SUMMARY, description=module.DESCRIPTION, epilog=f"{EXIT_STATUS}\n{module.EPILOG}"
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    return run_command(PROG, lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    args = build_parser().parse_args(argv)
    try:
        status: int = args.run(args)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        raise ConfigError(
            f"the package {package} is not installed", remedy=f"pip install 'lineclear[{_EXTRAS[package]}]'"
        ) from None
    return status


if __name__ == "__main__":
    sys.exit(main())
