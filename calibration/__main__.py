"""`lineclear-calibrate`: what a technician does on site."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Final

from edge.cli.terminal import Parser, run_command

PROG = "lineclear-calibrate"
COMMANDS: Final = (
    "collect", "reference", "recipe", "thresholds", "preview", "challenge", "card", "rollback", "drift",
    "labels", "evaluate", "sweep", "compare", "serve",
)  # fmt: skip

EPILOG = """\
exit status:
  0  done
  1  done, and something needs a look: too few frames, labels that cannot be read, nothing that could be judged, a card that
     is stale, drift
  2  drift: too little data to say
  3  bad use or bad input; one line on standard error says what, where, and what to do; nothing was changed

examples:
  lineclear-calibrate collect --config station.yaml --view front --count 40 --out good/front
  lineclear-calibrate recipe --view front --reference good/front/000.png --bundle bundles/front --out recipes/front
  lineclear-calibrate thresholds --recipe recipes/front --images good/front --method quantile --config station.yaml \\
      --who "A. Meier" --why "new lamp"
  lineclear-calibrate card show recipes/front
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; every command's help reads like a manual page."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog=PROG, description=__doc__, epilog=EPILOG, formatter_class=raw)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"calibration.commands.{name}")
        command = commands.add_parser(
            name, help=module.SUMMARY, description=module.DESCRIPTION, epilog=EPILOG, formatter_class=raw
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    return run_command(PROG, lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    args = build_parser().parse_args(argv)
    status: int = args.run(args)
    return status


if __name__ == "__main__":
    sys.exit(main())
