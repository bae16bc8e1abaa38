"""`lineclear-calibrate compare`: two recipes or bundles on the same labelled frames, side by side."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from calibration.commands import evaluate as shared
from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.recipe import Recipe

SUMMARY = "two recipes or bundles side by side: who found what"

DESCRIPTION = """\
Judge the same labelled frames with A and with B and show, frame by frame, who judged it right; McNemar's exact test says
whether the difference is more than chance (docs/evaluation.md).

A and B are recipes, or bundles that are judged with the reference, masks and registration of --recipe. Without --good each
recipe is held to its own card; with --good both are held to thresholds from those frames, by one --method.
"""

WHERE = "lineclear-calibrate compare"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("a", type=Path, metavar="A", help="a recipe or a bundle")
    parser.add_argument("b", type=Path, metavar="B", help="another")
    parser.add_argument("--recipe", type=Path, metavar="RECIPE", help="for bundles: the reference, masks and registration")
    parser.add_argument("--good", type=Path, metavar="DIR", help="good frames to take thresholds from, instead of the cards'")
    parser.add_argument("--method", default="quantile", choices=shared.METHODS, help="with --good (default quantile)")
    shared.add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Judge with both, write the report, say what came out."""
    from calibration.evaluate import compare, evaluate
    from calibration.report import comparison_document, comparison_text, write_comparison
    from calibration.station import setting
    from edge.cli.progress import Meter

    options = shared.options_of(args, (args.method,), WHERE)
    place = setting(args.config, args.threads, WHERE)
    shared.check_out(args)
    recipes = [_recipe(path, args.recipe) for path in (args.a, args.b)]
    if args.good:
        recipes = [replace(recipe, card=None) for recipe in recipes]
    tests = shared.labelled(args)
    found = []
    for letter, path, recipe in zip("AB", (args.a, args.b), recipes, strict=True):
        with Meter(f"judging with {letter}") as meter:
            result = evaluate(recipe, tests, good=args.good, open_engine=place.open_engine, options=options, progress=meter)
        found.append(replace(result, title=f"{path} ({result.bundle})"))
    comparison = compare(*found)
    document = write_comparison(args.out, comparison) if args.out else comparison_document(comparison)
    shared.tell(args, document, comparison_text(comparison))
    return 0


def _recipe(path: Path, base: Path | None) -> Recipe:
    """The recipe at `path`; or the one at `base` with the bundle at `path`."""
    from calibration.evaluate import with_bundle
    from edge.bundle import open_bundle
    from edge.recipe import load_recipe

    if (path / "current").exists() or not path.exists():
        return load_recipe(path)
    if base is None:
        message = "is no recipe; a bundle is judged with the reference and masks of a recipe"
        raise ConfigError(message, where=str(path), remedy="name that recipe with --recipe")
    return with_bundle(load_recipe(base), open_bundle(path))
