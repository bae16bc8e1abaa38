"""`lineclear-calibrate collect`: good frames of a view, from its camera or from a folder."""

from __future__ import annotations

import argparse
import getpass
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.terminal import one_line, say, say_json
from edge.errors import ConfigError

if TYPE_CHECKING:
    from calibration.collect import Collected, CollectionFile, Source
    from edge.recipe import Recipe

SUMMARY = "camera or folder -> checked good frames"
SHOWN = 40

DESCRIPTION = """\
Collect good frames of a view: from its camera, opened as the station opens it (stop the station first), or from a folder of
images. Each frame is checked for registration, focus, motion blur, exposure, movement between two frames, and for being a
picture that is stored already. What is refused is listed with check, value, limit and remedy. What is good is stored as PNG
with its alignment in DIR, and `lineclear-calibrate thresholds --images DIR` takes it as it is.

Running it again adds to what is there; stopping it keeps what is there. It says how many frames are enough. Frames from
several days and shifts tell more than as many taken in a row. docs/collect.md has the limits and their reasons.

exit status: 0 all frames that were asked for, 1 fewer (it says why), 3 bad use
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--config", type=Path, metavar="CONFIG", help="the station's config: names the camera of --view")
    parser.add_argument("--images", type=Path, metavar="DIR", help="take the images of this folder instead of a camera")
    parser.add_argument("--view", default="", metavar="NAME", help="the view (default: the recipe's)")
    parser.add_argument("--recipe", type=Path, metavar="RECIPE", help="hold frames against its reference and masks")
    parser.add_argument("--count", type=int, metavar="N", help="how many frames DIR shall hold in the end (a folder: all)")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder to collect into")
    parser.add_argument("--who", default="", metavar="NAME", help="who collects them (default: the login name)")
    parser.add_argument("--json", action="store_true", help="the result as one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Collect, and say what came of it."""
    from calibration.collect import Wanted, collect, read_album
    from edge.cli.progress import Meter
    from edge.recipe import load_recipe

    recipe = load_recipe(args.recipe, view=args.view or None) if args.recipe else None
    view = args.view or (recipe.view if recipe else "")
    if not view:
        raise ConfigError("is missing", where="--view", remedy="name the view, or give its --recipe")
    wanted = Wanted(view=view, who=args.who or _login(), count=args.count, recipe=recipe)
    with ExitStack() as stack:
        source = _source(args, view, stack)
        meter = stack.enter_context(Meter("collecting" if args.images else "good frames"))
        collected = collect(source, args.out, wanted, meter)
    if args.json:
        say_json(_document(collected, read_album(args.out)))
    else:
        say(describe(collected, recipe))
    return 1 if collected.stopped else 0


def describe(collected: Collected, recipe: Recipe | None = None) -> str:
    """What a technician reads."""
    lines = [f"refused {one_line(str(refusal))}" for refusal in collected.refused[:SHOWN]]
    if len(collected.refused) > SHOWN:
        lines.append(f"refused {len(collected.refused) - SHOWN} more, see collected.json")
    lines += [f"note: {note}" for note in collected.notes]
    if collected.stopped:
        lines.append(f"stopped: {collected.stopped}")
    total = len(collected.frames)
    lines.append(f"{collected.folder}: {total} good frames, {collected.added} of them new, {len(collected.refused)} refused")
    lines.append(str(collected.enough))
    if total:
        name = recipe.path if recipe else "RECIPE"
        lines.append(f"next: lineclear-calibrate thresholds --recipe {name} --images {collected.folder}")
    return "\n".join(lines) + "\n"


def _source(args: argparse.Namespace, view: str, stack: ExitStack) -> Source:
    from calibration.collect import CameraSource, FolderSource
    from edge.cameras.adjustments import in_force
    from edge.config import load_config

    if (args.config is None) == (args.images is None):
        raise ConfigError("give either --config or --images", where="lineclear-calibrate collect", remedy="see --help")
    if args.images is not None:
        return FolderSource(args.images)
    if args.count is None:
        raise ConfigError("is missing", where="--count", remedy="say how many frames to take from the camera")
    return stack.enter_context(CameraSource(in_force(load_config(args.config)), view))


def _document(collected: Collected, document: CollectionFile) -> dict[str, object]:
    return {
        "folder": str(collected.folder),
        "frames": [frame.file for frame in document.frames],
        "added": collected.added,
        "refused": [refusal.model_dump(mode="json") for refusal in collected.refused],
        "bound": collected.enough.bound,
        "confidence": collected.enough.confidence,
        "more": {f"{rate:g}": count for rate, count in collected.enough.more},
        "stopped": collected.stopped,
        "notes": list(collected.notes),
    }


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
