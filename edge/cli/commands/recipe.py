"""`lineclear recipe`: recipes from one station to another."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "carry a recipe to another station, or bring one in"

DESCRIPTION = """\
export: one version of a recipe, with its model, as one file with a list of hashes.
import: prove such a file and save it as a new version of a recipe, or as a new recipe; nothing is written if it is not sound.

A recipe from another camera geometry (size, colour) is refused. Its threshold card comes along: it is stale, and every verdict
UNDECIDED(card_stale), where the camera here has other settings than the one that it was taken with. A running station takes a
new version up when it is told to (command `reload`) or starts again.
"""

EPILOG = """\
exit status:
  0  done
  3  refused: one line says why; nothing was changed

examples:
  lineclear recipe export recipes/tablets/front --out front.recipe.zip
  lineclear recipe import front.recipe.zip --out recipes/tablets/front --who "A. Meier" --why "second line"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="export|import", help="what to do")
    export = verbs.add_parser("export", help="recipe -> one file")
    export.add_argument("recipe", type=Path, metavar="RECIPE", help="the recipe's folder")
    export.add_argument("--out", required=True, type=Path, metavar="FILE", help="the zip to write")
    export.add_argument("--version", type=int, metavar="N", help="default: the version in force")
    bring = verbs.add_parser("import", help="one file -> recipe")
    bring.add_argument("file", type=Path, metavar="FILE", help="what export wrote")
    bring.add_argument("--out", required=True, type=Path, metavar="RECIPE", help="the recipe's folder at this station")
    bring.add_argument("--view", metavar="NAME", help="refuse the recipe of any other view")
    bring.add_argument(
        "--config",
        type=Path,
        metavar="CONFIG",
        help="the station's: its audit log gets an entry, and its card is held against the camera here",
    )
    bring.add_argument("--who", required=True, metavar="NAME", help="who brings it in")
    bring.add_argument("--why", required=True, metavar="TEXT", help="goes into the recipe's history")


def run(args: argparse.Namespace) -> int:
    """Its exit status."""
    from edge.cli.transfer import export, take_in

    if args.verb == "export":
        return export(args.recipe, args.out, args.version)
    return take_in(args.file, args.out, args.view, args.config, args.who, args.why)
