"""Parse the command line and run one command."""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.cli import manual
from edge.cli.terminal import Parser, run_command, say

MAX_THREADS = 256


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; every command's help reads like a manual page."""
    parser = Parser(prog="lineclear", description=manual.MAIN, epilog=manual.MAIN_END)
    parser.add_argument("--verbose", "-v", action="store_true", help="log every step, not only what went wrong")
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    run = commands.add_parser(
        "run", help="run the station until SIGTERM or SIGINT", description=manual.RUN, epilog=manual.RUN_END
    )
    run.add_argument("config", type=Path, metavar="CONFIG", help="the station's YAML file")

    check = commands.add_parser("check", help="one line-clearance check", description=manual.CHECK, epilog=manual.CHECK_END)
    check.add_argument("config", type=Path, metavar="CONFIG", help="the station's YAML file")
    check.add_argument("--batch", required=True, metavar="B", help="the batch that is to start; goes into the record")
    check.add_argument("--product", required=True, metavar="P", help="selects the recipes, and must be theirs")
    check.add_argument("--operator", default="", metavar="NAME", help="who asks; goes into the record")
    check.add_argument("--json", action="store_true", help="print the clearance as one JSON document")

    judge = commands.add_parser("judge", help="judge image files, offline", description=manual.JUDGE, epilog=manual.JUDGE_END)
    judge.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files, or folders of them")
    judge.add_argument("--recipe", required=True, type=Path, metavar="R", help="the recipe's folder")
    judge.add_argument("--out", type=Path, metavar="DIR", help="write an overlay per image here")
    judge.add_argument("--json", action="store_true", help="one JSON document per line instead of a table")
    judge.add_argument("--threads", type=_threads, default=2, metavar="N", help="engine threads (default 2)")

    valid = commands.add_parser(
        "validate",
        help="check a config, a recipe or a bundle",
        description=manual.VALIDATE,
        epilog=manual.VALIDATE_END,
    )
    valid.add_argument("paths", nargs="+", type=Path, metavar="CONFIG|RECIPE|BUNDLE", help="what to check")

    doctor = commands.add_parser(
        "doctor",
        help="what is installed, connected and healthy",
        description=manual.DOCTOR,
        epilog=manual.DOCTOR_END,
    )
    doctor.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="a station's YAML file, to check that too")
    doctor.add_argument("--json", action="store_true", help="print the checks as one JSON document")

    demo = commands.add_parser(
        "demo", help="the whole job on a simulated machine", description=manual.DEMO, epilog=manual.EXIT_STATUS
    )
    demo.add_argument("--out", type=Path, default=Path("demo-out"), metavar="DIR", help="where to (default demo-out)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    return run_command("lineclear", lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    args = build_parser().parse_args(argv)
    _start_logging(args.command, args.verbose)
    return _dispatch(args)


class _Version(argparse.Action):
    """`--version`, looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        say(f"lineclear {importlib.metadata.version('lineclear')}\n")
        parser.exit(0)


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_THREADS:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of cores: write 1 to {MAX_THREADS}, such as 2")
    return int(text)


class _OneLine(logging.Formatter):
    """An exception as its last line: whole tracebacks are for --verbose and for the station's own log."""

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        error = ei[1] if isinstance(ei, tuple) else ei
        return f"  why={type(error).__name__}: {error}"


def _start_logging(command: str, verbose: bool) -> None:
    """`run` is a service and logs what it does; the others say everything that matters as their answer."""
    level = logging.INFO if verbose or command == "run" else logging.ERROR
    whole = verbose or command == "run"
    handler = logging.StreamHandler(sys.stderr)
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    handler.setFormatter(logging.Formatter(form) if whole else _OneLine(form))
    logging.basicConfig(level=level, handlers=[handler])


def _dispatch(args: argparse.Namespace) -> int:
    """Each command imports what it needs, and nothing else is loaded."""
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
