"""`lineclear-calibrate evaluate`: a recipe on labelled frames, judged as the station judges."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.terminal import say, say_json
from edge.errors import ConfigError

if TYPE_CHECKING:
    from calibration.evaluate import LabelledFrames, Options

SUMMARY = "a recipe on labelled frames: figures, curves, every mistake"

DESCRIPTION = """\
Judge labelled frames with a recipe exactly as the station would, and show what came out: image and pixel AUROC, PRO, IoU,
average precision and accuracy with their intervals, the curves, the scores with the thresholds drawn in, and every frame
that was judged wrong with its overlay (docs/evaluation.md).

--labels is a folder (MVTec's layout, good and bad folders) or a label file (VIA, COCO, labelme); docs/labels.md.
Thresholds come from the recipe's card, and with --good also from a folder of good frames, by every method. Frames that
built the model or set a threshold are refused as labelled frames: they prove nothing.
"""

METHODS = ("max", "sigma", "quantile", "conformal", "extreme")
NOTHING_JUDGED = 1
"""Exit status: no threshold could be taken, or no frame could be judged; the report says why."""
FORMATS = ("via", "coco", "labelme", "masks", "mvtec", "good-bad")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--recipe", required=True, type=Path, metavar="RECIPE")
    parser.add_argument("--good", type=Path, metavar="DIR", help="good frames to take thresholds from, besides the card's")
    add_shared(parser)


def add_shared(parser: argparse.ArgumentParser) -> None:
    """What evaluate, sweep and compare have in common."""
    parser.add_argument(
        "--labels", required=True, type=Path, metavar="SOURCE", help="labelled frames: a folder or a label file"
    )
    parser.add_argument("--images", type=Path, metavar="DIR", help="the images of a label file or of a folder of masks")
    parser.add_argument("--format", choices=FORMATS, help="of the labels, where they do not say it themselves")
    parser.add_argument("--mask-threshold", type=int, metavar="GREY", help="from which grey value a mask picture marks")
    parser.add_argument("--quantile", type=float, default=0.995, metavar="Q", help="of quantile, 0.95 .. 0.999 (default 0.995)")
    parser.add_argument("--sigma", type=float, default=3.0, metavar="K", help="of sigma (default 3)")
    parser.add_argument("--alpha", type=float, default=0.01, metavar="A", help="of conformal: the rate (default 0.01)")
    parser.add_argument("--rate", type=float, default=0.001, metavar="R", help="of extreme: the rate (default 0.001)")
    parser.add_argument("--margin", type=float, metavar="M", help="spreads to add (default: 5*sqrt(5/n) for quantile, else 0)")
    parser.add_argument("--rounds", type=int, default=500, metavar="N", help="of the bootstrap (default 500; 0: no intervals)")
    parser.add_argument("--threads", type=int, metavar="N", help="engine threads (default 2, or what --config says)")
    parser.add_argument("--config", type=Path, metavar="CONFIG", help="the station's config: its engine")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the report here: index.html, report.json, CSV files")
    parser.add_argument("--json", action="store_true", help="everything as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Judge, write the report, say what came out."""
    from calibration.evaluate import evaluate
    from calibration.report import evaluation_document, evaluation_text, write_evaluation
    from calibration.station import setting
    from edge.cli.progress import Meter
    from edge.recipe import load_recipe

    where = "lineclear-calibrate evaluate"
    options = options_of(args, METHODS, where)
    place = setting(args.config, args.threads, where)
    check_out(args)
    recipe = load_recipe(args.recipe)
    with Meter("judging") as meter:
        tests = labelled(args)
        result = evaluate(recipe, tests, good=args.good, open_engine=place.open_engine, options=options, progress=meter)
    document = write_evaluation(args.out, result) if args.out else evaluation_document(result)
    tell(args, document, evaluation_text(result))
    return NOTHING_JUDGED if result.best is None else 0


def options_of(args: argparse.Namespace, kinds: tuple[str, ...], where: str) -> Options:
    """The threshold methods with their parameters, and the rounds. ConfigError for what is not possible."""
    from calibration.evaluate import Options
    from calibration.methods import Method
    from edge.schema import validate

    if not 0 <= args.rounds <= 100_000:
        raise ConfigError(
            f"{args.rounds} rounds are not possible", where=where, remedy="write --rounds 500, or 0 for no intervals"
        )
    fields = {name: getattr(args, name) for name in ("quantile", "sigma", "alpha", "rate", "margin")}
    return Options(tuple(validate(Method, {"kind": kind, **fields}, where) for kind in kinds), args.rounds)


def labelled(args: argparse.Namespace) -> LabelledFrames:
    """The labelled frames that the command names."""
    from calibration.evaluate import read_labelled

    return read_labelled(args.labels, args.images, args.format, mask_threshold=args.mask_threshold)


def check_out(args: argparse.Namespace) -> None:
    """ConfigError now rather than after all the work, where the report could not be written."""
    from calibration.report import check_folder

    if args.out:
        check_folder(args.out)


def tell(args: argparse.Namespace, document: dict[str, Any], text: str) -> None:
    """The JSON document, or the text and where the report is."""
    if args.json:
        say_json(document)
    else:
        say(text + (f"report: {args.out / 'index.html'}\n" if args.out else ""))
