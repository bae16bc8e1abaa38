"""Parse the command line and run one command."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import logging
from collections.abc import Sequence
from typing import Final

from edge.cli import manual
from edge.cli.terminal import Parser, run_command, say
from edge.logs import FORMS, Form, start_logging

COMMANDS: Final = ("run", "check", "challenge", "judge", "validate", "recipe", "trust", "archive", "audit", "doctor", "demo")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; every command's help reads like a manual page."""
    parser = Parser(prog="lineclear", description=manual.MAIN, epilog=manual.MAIN_END)
    parser.add_argument("--verbose", "-v", action="store_true", help="log every step, not only what went wrong")
    parser.add_argument(
        "--log-format", choices=FORMS, help="how log lines are written; text unless $LINECLEAR_LOG_FORMAT says so"
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for name in COMMANDS:
        module = importlib.import_module(f"edge.cli.commands.{name}")
        command = commands.add_parser(name, help=module.SUMMARY, description=module.DESCRIPTION, epilog=module.EPILOG)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    return run_command("lineclear", lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    args = build_parser().parse_args(argv)
    _start_logging(args.command, args.verbose, args.log_format)
    status: int = args.run(args)
    return status


class _Version(argparse.Action):
    """`--version`, looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        say(f"lineclear {importlib.metadata.version('lineclear')}\n")
        parser.exit(0)


def _start_logging(command: str, verbose: bool, form: Form | None) -> None:
    """`run` is a service and logs what it does; the others say everything that matters as their answer."""
    whole = verbose or command == "run"
    start_logging(logging.INFO if whole else logging.ERROR, form, short=not whole)
