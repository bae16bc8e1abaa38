"""`lineclear-calibrate thresholds`: good frames, and bad ones where there are any -> threshold card."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.terminal import one_line, say, say_json
from edge.errors import ConfigError

if TYPE_CHECKING:
    from calibration.methods import Method

SUMMARY = "good frames -> threshold card"

DESCRIPTION = """\
Take the image threshold and the pixel threshold from frames of a folder, on the masked and smoothed map that the station
will judge, and save them with everything needed to believe them as a new version of the recipe.

methods (docs/thresholds.md has the formulas, and which to choose):
  max        the highest score of the good frames
  quantile   an upper order statistic: of frames to come, at most 1 - q are expected above it; with fewer than 1 / (1 - q)
             frames the highest score. A margin for what so few frames cannot show is added: 5 spreads at 5 frames, less
             with more frames
  sigma      mean + k standard deviations, never below the highest score
  conformal  the order statistic that promises at most alpha false alarms; refuses frames that are too few for that and
             says how many more (99 for 1 %, 19 for 5 %)
  extreme    peaks over threshold: a generalised Pareto tail, read at the wanted rate; 100 frames for 4 in 1000, 400 for
             1 in 1000, and refused where it does not fit (needs pip install 'lineclear[calibration]')
  cost       needs --bad: the threshold of least expected cost between good and bad frames

At least 5 frames must be usable. Refused and listed: frames that do not register, cannot be read, are the same picture
twice, or built the model; if more than half do not register, nothing is saved. The more frames, and the more days and
shifts they come from, the tighter the threshold and the better its promise.
"""

WHERE = "lineclear-calibrate thresholds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    kinds = ("max", "quantile", "sigma", "conformal", "extreme", "cost")
    parser.add_argument("--recipe", required=True, type=Path, metavar="RECIPE")
    parser.add_argument("--images", required=True, type=Path, metavar="DIR", help="a folder of good frames, at least 5")
    parser.add_argument("--bad", type=Path, metavar="DIR", help="a folder of bad frames: what each method misses, and cost")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--method", choices=kinds)
    which.add_argument("--compare", action="store_true", help="a table of all methods side by side; nothing is saved")
    add_parameters(parser)
    parser.add_argument("--threads", type=int, metavar="N", help="engine threads (default 2, or what --config says)")
    parser.add_argument("--who", default="", metavar="NAME", help="who takes them; goes on the card; required to save")
    parser.add_argument("--why", default="", metavar="TEXT", help="the reason; goes on the card; required to save")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="CONFIG",
        help="the station's config: its engine, and the card holds for the settings of this view's camera",
    )
    parser.add_argument("--json", action="store_true", help="the card, or the table, as JSON on standard output")


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """What belongs to one method each."""
    parser.add_argument("--quantile", type=float, default=0.995, metavar="Q", help="of quantile, 0.95 .. 0.999 (default 0.995)")
    parser.add_argument("--sigma", type=float, default=3.0, metavar="K", help="of sigma (default 3)")
    parser.add_argument("--alpha", type=float, default=0.01, metavar="A", help="of conformal: the rate (default 0.01)")
    parser.add_argument("--rate", type=float, default=0.001, metavar="R", help="of extreme: the rate (default 0.001)")
    parser.add_argument("--miss-cost", type=float, default=100.0, metavar="C", help="a miss costs C false alarms (default 100)")
    parser.add_argument("--bad-share", type=float, default=0.01, metavar="B", help="share of bad frames there (default 0.01)")
    parser.add_argument("--margin", type=float, metavar="M", help="spreads to add (default: 5*sqrt(5/n) for quantile, else 0)")


def run(args: argparse.Namespace) -> int:
    """Take them and save them, or compare the methods."""
    method = method_of(args, args.method or "max", WHERE)
    return _compare(args, method) if args.compare else _take(args, method)


def method_of(args: argparse.Namespace, kind: str, where: str) -> Method:
    """The method with the parameters that were given. ConfigError: one is wrong, or cost without bad frames."""
    from calibration.methods import Method
    from edge.schema import validate

    names = ("quantile", "sigma", "alpha", "rate", "miss_cost", "bad_share", "margin")
    method = validate(Method, {"kind": kind, **{name: getattr(args, name) for name in names}}, where)
    if kind == "cost" and args.bad is None:
        raise ConfigError("method cost needs labelled bad frames", where=where, remedy="give their folder: --bad DIR")
    return method


def _take(args: argparse.Namespace, method: Method) -> int:
    from calibration.auditing import trace_of
    from calibration.card_text import describe
    from calibration.station import setting
    from calibration.thresholds import Signature, take_thresholds
    from edge.cli.progress import Meter
    from edge.schema import validate

    signature = validate(Signature, {"who": args.who, "why": args.why}, WHERE)
    place = setting(args.config, args.threads, WHERE)
    camera_hash = place.camera_hash(args.recipe)
    with Meter("measuring") as meter:
        taken = take_thresholds(
            args.recipe,
            args.images,
            method,
            signature,
            open_engine=place.open_engine,
            progress=meter,
            camera_settings_hash=camera_hash,
            bad_folder=args.bad,
            trace=trace_of(place.config),
        )
    if args.json:
        say_json({"version": taken.version, "card": taken.card.model_dump(mode="json", by_alias=True)})
    else:
        say(describe(taken.card, taken.version))
    return 0


def _compare(args: argparse.Namespace, method: Method) -> int:
    from calibration.comparison import all_methods, as_json, compare, table
    from calibration.methods import enough
    from calibration.station import setting
    from calibration.thresholds import measure
    from edge.cli.progress import Meter

    place = setting(args.config, args.threads, WHERE)
    with Meter("measuring") as meter:
        found = measure(
            args.recipe,
            args.images,
            open_engine=place.open_engine,
            progress=meter,
            bad_folder=args.bad,
        )
    rows = compare(found, all_methods(method))
    if args.json:
        say_json({"frames": len(found.good.scores), "refused": found.good.refused, "methods": [as_json(row) for row in rows]})
    else:
        refused = "".join(f"refused {one_line(f'{file}: {why}')}\n" for file, why in found.good.refused.items())
        say(refused + table(rows) + enough(len(found.good.scores)) + "\nnothing was saved: choose with --method\n")
    return 0
