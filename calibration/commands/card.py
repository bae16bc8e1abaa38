"""`lineclear-calibrate card`: show, compare and check threshold cards; writes nothing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.terminal import say, say_json

if TYPE_CHECKING:
    from calibration.cards import Entry

SUMMARY = "show, diff, history, stale: read threshold cards"

DESCRIPTION = """\
Read the threshold cards of recipes; nothing is changed.

  show     the card in force, or that of a version: thresholds, promise, margin, who and why
  diff     what differs between the cards of two versions
  history  every version of a recipe: who, when, why, and its thresholds
  stale    which cards no longer hold, and what changed: recipes, folders of recipes, or all of a station (--config)
"""

WHERE = "lineclear-calibrate card stale"
STALE_EPILOG = "exit status: 0 every card holds, 1 at least one does not, 3 bad use or bad input"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    commands = parser.add_subparsers(dest="card_command", required=True, metavar="WHAT")
    show = commands.add_parser("show", help="the card in force, or that of a version")
    show.add_argument("recipe", type=Path, metavar="RECIPE")
    show.add_argument("--version", type=int, metavar="N", help="default: the version in force")
    diff = commands.add_parser("diff", help="what differs between the cards of two versions")
    diff.add_argument("recipe", type=Path, metavar="RECIPE")
    diff.add_argument("before", type=int, metavar="A")
    diff.add_argument("after", type=int, metavar="B")
    history = commands.add_parser("history", help="every version of a recipe")
    history.add_argument("recipe", type=Path, metavar="RECIPE")
    stale = commands.add_parser("stale", help="which cards no longer hold, and what changed", epilog=STALE_EPILOG)
    stale.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="a recipe, or a folder of recipes")
    stale.add_argument(
        "--config",
        type=Path,
        metavar="CONFIG",
        help="the station's config: its recipes are checked, against its cameras' settings and its engine too",
    )
    for command in (show, diff, history, stale):
        command.add_argument("--json", action="store_true", help="as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Read what was asked for."""
    commands = {"show": _show, "diff": _diff, "history": _history, "stale": _stale}
    return commands[args.card_command](args)


def _show(args: argparse.Namespace) -> int:
    from calibration.card_text import describe
    from calibration.cards import card_of

    card, version = card_of(args.recipe, args.version)
    if args.json:
        say_json({"version": version, "headroom": card.headroom, "card": card.model_dump(mode="json", by_alias=True)})
    else:
        say(describe(card, version))
    return 0


def _diff(args: argparse.Namespace) -> int:
    from calibration.cards import diff

    found = diff(args.recipe, args.before, args.after)
    frames = {"common": found.common, "gone": found.gone, "new": found.new}
    if args.json:
        changes = [{"key": each.key, "before": each.before, "after": each.after} for each in found.changes]
        say_json({"before": args.before, "after": args.after, "frames": frames, "changes": changes})
        return 0
    lines = [f"{each.key}: {_value(each.before)} -> {_value(each.after)}" for each in found.changes]
    if not lines:
        say(f"versions {args.before:04d} and {args.after:04d} have the same card\n")
        return 0
    lines.append(
        f"frames: {found.common} in both, {found.gone} only in {args.before:04d}, {found.new} only in {args.after:04d}"
    )
    say("\n".join(lines) + "\n")
    return 0


def _history(args: argparse.Namespace) -> int:
    from calibration.cards import history

    entries = history(args.recipe)
    if args.json:
        say_json([_entry_json(entry) for entry in entries])
    else:
        say("".join(_entry_line(entry) for entry in entries))
    return 0


def _entry_json(entry: Entry) -> dict[str, Any]:
    card = entry.card
    return {
        "version": entry.version,
        "in_force": entry.in_force,
        "who": entry.who,
        "when": entry.when.isoformat() if entry.when else None,
        "why": entry.why,
        "restored_from": entry.restored_from,
        "method": card.method if card else None,
        "image_threshold": card.image_threshold if card else None,
        "pixel_threshold": card.pixel_threshold if card else None,
        "frames": card.frames if card else None,
        "card": card.sha256 if card else None,
        "takes_over": entry.takes_over,
        "problem": entry.problem or None,
    }


def _entry_line(entry: Entry) -> str:
    mark = "*" if entry.in_force else " "
    problem = f"  ! {entry.problem}" if entry.problem else ""
    if entry.when is None:
        return f"{mark} {entry.version:04d}{problem}\n"
    card, what = entry.card, "no card"
    if card is not None:
        same = "" if entry.takes_over else "same card: "
        pixel = "no map" if card.pixel_threshold is None else f"{card.pixel_threshold:.4g}"
        what = f"{same}{card.method} of {card.frames}: {card.image_threshold:.4g} / {pixel}"
    back = f" (back to {entry.restored_from:04d})" if entry.restored_from else ""
    return f"{mark} {entry.version:04d}  {entry.when:%Y-%m-%d %H:%M}  {what}  {entry.who}: {entry.why}{back}{problem}\n"


def _stale(args: argparse.Namespace) -> int:
    from calibration.stale_cards import find_stale, said
    from calibration.station import setting
    from edge.cli.progress import Meter
    from edge.errors import ConfigError

    if not args.paths and args.config is None:
        remedy = "name a recipe, a folder of recipes, or --config"
        raise ConfigError("nothing to look at", where=WHERE, remedy=remedy)
    place = setting(args.config, None, WHERE)
    open_engine = place.open_engine if args.config else None
    with Meter("checking") as meter:
        findings = find_stale(args.paths, place.config, open_engine, meter)
    if args.json:
        say_json(
            [
                {"recipe": str(each.path), "view": each.view, "version": each.version, "stale": list(each.what)}
                for each in findings
            ]
        )
    else:
        say("".join(f"{line}\n" for line in said(findings)))
    return 1 if any(each.what for each in findings) else 0


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "-" if value is None else str(value)
