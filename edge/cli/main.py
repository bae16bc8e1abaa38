"""Parse the command line and run one command."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.errors import ConfigError, LineclearError

BAD_USE = 3

EPILOG = """\
exit status:
  0  success; `check`: CLEAR
  1  `check`: NOT_CLEAR; `doctor`: something FAILs
  2  `check`: UNDECIDED
  3  bad use: arguments, config, recipe or bundle; one line on standard error says what and where

examples:
  lineclear validate configs/replay.yaml
  lineclear doctor configs/gige.yaml
  lineclear check configs/gige.yaml --batch B1204 --product tablets-10mg
  lineclear judge --recipe recipes/front shots/*.png --out overlays --json
"""


class _Parser(argparse.ArgumentParser):
    """argparse, with the product's exit status for bad use and one line instead of the usage text."""

    def error(self, message: str) -> None:  # type: ignore[override]
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(BAD_USE)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; every command's help reads like a manual page."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="lineclear",
        description="lineclear: the station beside the line. Asks its cameras one question: is what they see as it must be?",
        epilog=EPILOG,
        formatter_class=raw,
    )
    parser.add_argument("--verbose", "-v", action="store_true", help="log every step, not only what went wrong")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, summary: str, description: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=summary, description=description, formatter_class=raw)

    run = add("run", "run the station until SIGTERM or SIGINT", "Open cameras, engine and broker, and judge every trigger.")
    run.add_argument("config", type=Path, metavar="CONFIG")

    check = add(
        "check",
        "one line-clearance check",
        "Take fresh frames of every view and answer CLEAR (exit 0), NOT_CLEAR (1) or UNDECIDED (2).\n"
        "The station must not be running: it would hold the cameras.",
    )
    check.add_argument("config", type=Path, metavar="CONFIG")
    check.add_argument("--batch", required=True, metavar="B", help="the batch that is to start; goes into the record")
    check.add_argument("--product", required=True, metavar="P", help="must be the product of the recipes")
    check.add_argument("--operator", default="", metavar="NAME", help="who asks; goes into the record")
    check.add_argument("--json", action="store_true", help="print the clearance as JSON")

    judge = add(
        "judge",
        "judge image files, offline",
        "Judge images with a recipe exactly as the station would: register, infer, mask, threshold.\n"
        "With --json one line per image: image, outcome, reason, detail, score, threshold, regions, alignment, stage_ms.",
    )
    judge.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files, or folders of them")
    judge.add_argument("--recipe", required=True, type=Path, metavar="R")
    judge.add_argument("--out", type=Path, metavar="DIR", help="write an overlay per image here")
    judge.add_argument("--json", action="store_true", help="one JSON document per line instead of a table")
    judge.add_argument("--threads", type=int, default=2, metavar="N", help="engine threads (default 2)")

    valid = add(
        "validate",
        "check a config, a recipe or a bundle",
        "Read everything that CONFIG names, or a recipe, or a bundle; print one line per problem.",
    )
    valid.add_argument("paths", nargs="+", type=Path, metavar="CONFIG|RECIPE|BUNDLE")

    doctor = add("doctor", "what is installed, connected and healthy", "One line per check: OK, WARN or FAIL with what to do.")
    doctor.add_argument("config", nargs="?", type=Path, metavar="CONFIG")
    doctor.add_argument("--json", action="store_true", help="print the checks as JSON")

    demo = add(
        "demo",
        "the whole job on a simulated machine",
        "Three simulated views (one through a real GenTL producer): make recipes, then a clear, a not clear and an\n"
        "undecided clearance, over an MQTT broker on this machine.",
    )
    demo.add_argument("--out", type=Path, default=Path("demo-out"), metavar="DIR", help="overlays, JSON and index.html")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    args = build_parser().parse_args(argv)
    level = logging.INFO if args.verbose or args.command == "run" else logging.WARNING
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        return _dispatch(args)
    except ConfigError as error:
        for problem in error.problems:
            print(f"lineclear: {problem}", file=sys.stderr)
    except LineclearError as error:
        print(f"lineclear: {error}", file=sys.stderr)
    except BrokenPipeError:
        # `lineclear judge ... | head` closed our output: nobody is left to read a message.
        sys.stderr.close()
    except KeyboardInterrupt:
        print("lineclear: interrupted", file=sys.stderr)
        return 130
    return BAD_USE


def _dispatch(args: argparse.Namespace) -> int:
    match args.command:
        case "run":
            from edge.cli.run import run

            return run(args.config)
        case "check":
            from edge.cli.check import check

            return check(args.config, args.batch, args.product, args.operator, args.json)
        case "judge":
            from edge.cli.judge import judge

            return judge(args.recipe, args.images, args.out, args.json, args.threads)
        case "validate":
            from edge.cli.validate import validate

            return validate(args.paths)
        case "doctor":
            from edge.cli.doctor import doctor

            return doctor(args.config, args.json)
        case _:
            from edge.cli.demo import demo

            return demo(args.out)
