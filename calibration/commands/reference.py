"""`lineclear-calibrate reference`: a reference image from one good frame, or from many."""

from __future__ import annotations

import argparse
import getpass
import math
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.terminal import one_line, say, say_json
from edge.errors import ConfigError

if TYPE_CHECKING:
    from calibration.reference import ReferenceNote, Where
    from edge.settings.symmetry import SymmetrySettings

SUMMARY = "good frames -> reference image"
WHERE = "lineclear-calibrate reference"

DESCRIPTION = """\
Make a reference image. A note beside it (NAME.png.json) says how: method, sources with their hashes, what was measured.

methods:
  frame       the best of many (--images): the sharpest of those that lie nearest to the middle pose and show nothing that the
              others do not
  median      the median of every pixel over all that register to the best one (--images): free of noise and of what lay on
              one frame; refused if it comes out soft
  rotational  the ideal of a part that looks the same when it is turned, from one frame (--image): its axis is found to a
              fraction of a pixel, it is turned by 1/n, 2/n, ... of a turn, and the median of every pixel is taken. A damaged
              tooth is mended by the others. --n, or none to find it; where that is not clear it is refused.
              Where the part is: --centre and --radius, or --part dark or bright for one that stands free on a plain
              background. --recipe makes the ideal the recipe's reference and turns on the comparison of every frame with its
              own median (docs/comparison.md): a new version, whose thresholds are to be taken again.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--method", required=True, choices=("frame", "median", "rotational"))
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--images", type=Path, metavar="DIR", help="good frames of one view (frame, median)")
    source.add_argument("--image", type=Path, metavar="FILE", help="one frame of the part (rotational)")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.png", help="the reference to write")
    parser.add_argument("--registration", default="track", choices=("track", "orb", "none"), help="of frames (default track)")
    parser.add_argument("--n", type=int, metavar="N", help="how often the part repeats in a turn (default: found)")
    parser.add_argument("--part", choices=("dark", "bright"), help="the largest dark or bright area is the part")
    parser.add_argument("--centre", metavar="X,Y", help="where its axis is about, pixels")
    parser.add_argument("--radius", type=float, metavar="PX", help="how far it reaches from there")
    parser.add_argument("--inner-radius", type=float, default=0.0, metavar="PX", help="nearer to the axis nothing repeats")
    parser.add_argument("--recipe", type=Path, metavar="RECIPE", help="put a rotational ideal in force there")
    parser.add_argument(
        "--pose", default="fixed", choices=("fixed", "free"), help="with --recipe: the part lies as here, or anyhow"
    )
    parser.add_argument(
        "--search", type=float, default=0.05, metavar="S", help="of a free part: how far it may lie off, in picture widths"
    )
    parser.add_argument("--who", default="", metavar="NAME", help="with --recipe: who (default: the login name)")
    parser.add_argument("--why", default="rotational ideal", metavar="TEXT", help="with --recipe: the reason")
    parser.add_argument(
        "--config", type=Path, metavar="CONFIG", help="with --recipe: the station's, whose audit log hears of it"
    )
    parser.add_argument("--json", action="store_true", help="the note as one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Make it and write it."""
    if (args.method == "rotational") != (args.image is not None):
        wanted = "--image FILE" if args.method == "rotational" else "--images DIR"
        raise ConfigError(f"method {args.method} is made from {wanted}", where=WHERE, remedy=f"give {wanted}")
    if args.config is not None and args.recipe is None:
        raise ConfigError("is for --recipe", where="--config", remedy="leave it out: only a recipe's change is logged")
    if args.recipe is not None and args.method != "rotational":
        remedy = "lineclear-calibrate recipe --reference FILE makes a recipe with any reference"
        raise ConfigError("is for --method rotational", where="--recipe", remedy=remedy)
    note, installed = _rotational(args) if args.method == "rotational" else (_of_frames(args), None)
    if args.json:
        say_json(note.model_dump(mode="json", by_alias=True))
    else:
        say(_described(args.out, note, installed))
    return 0


def _of_frames(args: argparse.Namespace) -> ReferenceNote:
    from calibration.reference import Source, best_frame, check_target, median_frame, write_reference
    from edge.cameras.folder import good_images
    from edge.cli.progress import Meter
    from edge.settings.registration import RegistrationSettings

    paths = good_images(args.images)
    check_target(args.out, paths)
    settings = RegistrationSettings(mode=args.registration)
    with Meter("registering") as meter:
        if args.method == "frame":
            chosen = best_frame(paths, settings, meter)
            refused = {each.name: each.why for each in chosen.refused}
            source = (Source.of(chosen.path),)
            return write_reference(args.out, chosen.image, method="frame", sources=source, refused=refused, why=chosen.why)
        median = median_frame(paths, settings, meter)
    return write_reference(
        args.out,
        median.image,
        method="median",
        sources=tuple(Source.of(path) for path in median.used),
        refused={each.name: each.why for each in median.refused},
        why=f"in the pose of {median.seed.name}",
        figures={"sharpness": median.sharpness},
    )


def _rotational(args: argparse.Namespace) -> tuple[ReferenceNote, int | None]:
    from calibration.auditing import trace_at
    from calibration.reference import Source, check_target, prepare, rotational, write_reference
    from edge.cameras.images import read_image
    from edge.cli.progress import Meter

    trace = trace_at(args.config)
    check_target(args.out, [args.image])
    image, source = read_image(args.image), Source.of(args.image)
    fold, where = _wanted(args)
    with Meter("ideal") as meter:
        ideal = rotational(image, where, fold, name=str(args.image), progress=meter)
    settings: SymmetrySettings = ideal.settings(
        pose=args.pose, search=args.search, locate=ideal.locate if args.pose == "free" else "place"
    )
    ready = None
    if args.recipe is not None:  # checked before anything is written, and put in force when its picture and note are there
        ready = prepare(args.recipe, ideal.image, settings, who=args.who or _login(), why=args.why)
    figures = {
        "n": ideal.fold,
        "n_was_found": float(ideal.found),
        "confidence": ideal.confidence,
        "centre_x_px": ideal.ring.centre[0],
        "centre_y_px": ideal.ring.centre[1],
        "centre_spread_px": ideal.spread_px,
        "radius_px": ideal.ring.outer_px,
        "residual_grey": ideal.residual_grey,
        "strays": ideal.strays,
    }
    note = write_reference(args.out, ideal.image, method="rotational", sources=(source,), figures=figures, symmetry=settings)
    return note, ready.put_in_force(trace) if ready is not None else None


def _wanted(args: argparse.Namespace) -> tuple[int | None, Where]:
    from calibration.reference import MOST_FOLDS, Where

    if args.n is not None and not 2 <= args.n <= MOST_FOLDS:
        raise ConfigError(f"{args.n} is not possible", where="--n", remedy=f"write 2 to {MOST_FOLDS}, or leave it out")
    centre = None
    if args.centre is not None:
        try:
            x, y = (float(value) for value in args.centre.split(","))
        except ValueError:
            raise ConfigError(f"{args.centre!r} is no place", where="--centre", remedy="write X,Y in pixels") from None
        if not (math.isfinite(x) and math.isfinite(y)):
            raise ConfigError(f"{args.centre!r} is no place", where="--centre", remedy="write X,Y in pixels")
        centre = x, y
    for name, value in (("--radius", args.radius), ("--inner-radius", args.inner_radius)):
        if value is not None and not 0 <= value < 1e5:
            raise ConfigError(f"{value:g} is not possible", where=name, remedy="write a length in pixels")
    if args.radius is not None and args.radius <= max(4.0, args.inner_radius):
        raise ConfigError(f"{args.radius:g} is not possible", where="--radius", remedy="more than 4 and than --inner-radius")
    return args.n, Where(args.part or "place", centre, args.radius, args.inner_radius)


def _described(out: Path, note: ReferenceNote, installed: int | None) -> str:
    lines = [f"refused {one_line(f'{name}: {why}')}" for name, why in list(note.refused.items())[:40]]
    sources = f"{len(note.sources)} frames" if len(note.sources) > 1 else one_line(note.sources[0].name)
    lines.append(f"{out}: {note.method} of {sources}" + (f": {note.why}" if note.why else ""))
    if note.figures:
        lines.append("  ".join(f"{name} {value:.4g}" for name, value in note.figures.items()))
    if installed is not None:
        lines.append(f"version {installed:04d} of the recipe uses it; next: lineclear-calibrate thresholds")
    return "\n".join(lines) + "\n"


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
