"""`lineclear-calibrate challenge`: frames with a known verdict, kept with the recipe."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.cli.terminal import one_line, say
from edge.errors import ConfigError

SUMMARY = "known good and known bad frames of a view"

DESCRIPTION = """\
Put frames with a known verdict into a recipe: good ones, that must PASS, and bad ones, with something left over, that must
FAIL. Each is judged first exactly as the station would judge it; if one does not give its verdict, nothing is stored and
the frame is named. A clearance can be made to depend on them (clearance.challenge in the station's config), and
`lineclear challenge` runs them alone.

Take bad frames of the smallest thing that must be found, where it is hardest to see. A few tell enough: every challenge
judges all of them. Without --good, --bad and --remove the frames that there are are listed.
"""
WHERE = "lineclear-calibrate challenge"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--recipe", required=True, type=Path, metavar="RECIPE")
    parser.add_argument("--good", type=Path, metavar="DIR", help="a folder of frames that must PASS")
    parser.add_argument("--bad", type=Path, metavar="DIR", help="a folder of frames that must FAIL")
    parser.add_argument("--remove", nargs="+", metavar="FILE", help="take these frames out, by the names of the list")
    parser.add_argument("--who", default="", metavar="NAME", help="who changes it; goes into the recipe's history")
    parser.add_argument("--why", default="", metavar="TEXT", help="the reason; goes into the recipe's history")
    parser.add_argument("--threads", type=int, metavar="N", help="engine threads (default: the config's, else 2)")
    parser.add_argument(
        "--config", type=Path, metavar="CONFIG", help="the station's config: its engine and its camera's settings"
    )


def run(args: argparse.Namespace) -> int:
    """List, add or remove."""
    if args.remove and (args.good or args.bad):
        raise ConfigError("--remove stands alone", where=WHERE, remedy="remove first, then add")
    if args.remove:
        return _remove(args)
    return _add(args) if args.good or args.bad else _list(args.recipe)


def _list(path: Path) -> int:
    from edge.recipe import load_recipe
    from edge.recipe.challenge import FOLDER, read_challenge

    recipe = load_recipe(path)
    challenge = read_challenge(recipe.folder / FOLDER)
    if challenge is None or not challenge.frames:
        say(f"{path}: version {recipe.version:04d} has no challenge frames\n")
        return 0
    say(one_line(f"{path}: version {recipe.version:04d}, by {challenge.who}: {challenge.why}") + "\n")
    for frame in challenge.frames:
        say(one_line(f"{frame.file}  {frame.expected}  {frame.note}") + "\n")
    return 0


def _add(args: argparse.Namespace) -> int:
    from calibration.auditing import trace_of
    from calibration.challenge import add_frames, describe
    from calibration.station import setting
    from calibration.trace import Signature
    from edge.cli.progress import Meter
    from edge.recipe.challenge import Expected
    from edge.schema import validate

    signature = validate(Signature, {"who": args.who, "why": args.why}, WHERE)
    place = setting(args.config, args.threads, WHERE)
    folders: dict[Expected, Path] = {}
    if args.good:
        folders["PASS"] = args.good
    if args.bad:
        folders["FAIL"] = args.bad
    camera_hash = place.camera_hash(args.recipe)
    with Meter("judging") as meter:
        added = add_frames(
            args.recipe,
            folders,
            signature,
            open_engine=place.open_engine,
            camera_settings_hash=camera_hash,
            progress=meter,
            trace=trace_of(place.config),
        )
    say(describe(added.tried))
    lacking = "" if added.challenge.is_complete else "; a challenge needs a good and a bad one: add the other"
    say(f"{args.recipe}: version {added.version:04d} holds {len(added.challenge.frames)} challenge frames{lacking}\n")
    return 0


def _remove(args: argparse.Namespace) -> int:
    from calibration.auditing import trace_at
    from calibration.challenge import remove_frames
    from calibration.trace import Signature
    from edge.schema import validate

    signature = validate(Signature, {"who": args.who, "why": args.why}, WHERE)
    version = remove_frames(args.recipe, args.remove, signature, trace_at(args.config))
    say(f"{args.recipe}: version {version:04d} is without {', '.join(sorted(args.remove))}\n")
    return 0
