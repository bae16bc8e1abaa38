"""One command of `lineclear-calibrate`, as its `main` runs it."""

import importlib

from edge.cli.terminal import Parser, run_command


def run(name: str, *arguments) -> int:
    module = importlib.import_module(f"calibration.commands.{name}")
    parser = Parser(prog="lineclear-calibrate", description=module.DESCRIPTION)
    module.add_arguments(parser)
    return run_command("lineclear-calibrate", lambda: module.run(parser.parse_args([str(each) for each in arguments])))
