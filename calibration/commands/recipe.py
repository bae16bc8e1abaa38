"""`lineclear-calibrate recipe`: reference, bundle and masks of one view, put together."""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path

from edge.cli.terminal import say

SUMMARY = "reference + bundle + masks -> recipe"

DESCRIPTION = """\
Put reference, bundle and masks of one view together as a recipe: a folder that is whole in itself and keeps every version.
If --out is a recipe of this view already, a new version is written; its thresholds are stale until they are taken again.

The reference must show the pose that the bundle was built on. If it is another image of that pose, it is registered to the
bundle's; if it cannot be, it is refused.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--view", required=True, metavar="NAME", help="the view, as the station's config names it")
    parser.add_argument("--reference", required=True, type=Path, metavar="IMAGE", help="frames are registered to this image")
    parser.add_argument("--bundle", required=True, type=Path, metavar="BUNDLE", help="the model: a bundle's folder or zip")
    parser.add_argument("--out", required=True, type=Path, metavar="RECIPE", help="the folder to write")
    parser.add_argument("--masks", type=Path, metavar="FILE", help="masks.yaml: named polygons that are not judged")
    parser.add_argument("--product", default="", metavar="P", help="the product; none: for any")
    parser.add_argument("--registration", default="track", choices=("track", "orb", "none"), help="default: track")
    parser.add_argument("--min-area", type=float, default=16.0, metavar="PX", help="smallest region to report (default 16)")
    parser.add_argument("--config", type=Path, metavar="CONFIG", help="the station's config: writes its audit log too")
    parser.add_argument("--who", default="", metavar="NAME", help="who makes it (default: the login name)")
    parser.add_argument("--why", default="recipe made", metavar="TEXT", help="goes into the recipe's history")


def run(args: argparse.Namespace) -> int:
    """Write the recipe, or a new version of it."""
    from calibration.auditing import trace_at
    from calibration.recipe import Parts, create_recipe, left_behind
    from edge.settings.registration import RegistrationSettings

    parts = Parts(
        view=args.view,
        reference=args.reference,
        bundle=args.bundle,
        masks=args.masks,
        product=args.product,
        registration=RegistrationSettings(mode=args.registration),
        min_area_px=args.min_area,
    )
    lost = left_behind(args.out)
    trace = trace_at(args.config)
    version = create_recipe(args.out, parts, who=args.who or _login(), why=args.why, trace=trace)
    if lost:
        say(f"note: it no longer has {lost}\n")
    say(f"{args.out}: version {version:04d} of the recipe for view {args.view}; next: lineclear-calibrate thresholds\n")
    return 0


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
