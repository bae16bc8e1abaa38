"""The small trained networks, exported by the commands, beside the variation model: detection, and what float16 costs.

    python -m benchmarks.upstream.trained SET --trained DIR [--views NAME ...] [--json FILE]

SET: leftovers (composed views, camera still and nudged) or hazelnut. DIR: what `benchmarks.upstream.training` saved. Every
bundle is judged as the station judges (PRE+M+R, or the recipe's `none` for nuts) on the cases of `benchmarks.sweep_cases`:
thresholds from the case's good frames by one method for all, `quantile`; nothing is chosen on the test frames.

Float16: both precisions on every third test frame, registered once. Score: |difference| over |score - threshold|, the margin
that the verdict has; 100 % would turn it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from benchmarks import leftovers, sweep, sweep_cases
from benchmarks.sweep_cases import Case
from benchmarks.upstream.training.frames import SETS
from calibration.evaluate import Evaluation, Options, evaluate, read_labelled, verdict_of
from calibration.evaluate.plan import with_bundle
from calibration.report.markdown import table
from edge.bundle import Bundle, open_bundle
from edge.cameras.images import read_image
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.pipeline import ViewPipeline
from edge.recipe import Recipe
from edge.settings.engines import OnnxRuntimeSettings
from export.__main__ import main as lineclear_export

METHOD = "quantile"
STEP = 3
FAMILIES = ("variation", "draem", "autoencoder", "bit", "mahalanobis image", "mahalanobis patch")


@dataclass(frozen=True)
class Found:
    """One family on one view. Figures 0 to 1, None: undefined. tallies: camera -> good, bad, alarmed, missed, undecided."""

    family: str
    view: str
    image_auroc: float | None
    pixel_auroc: float | None
    pro: float | None
    ap: float | None
    tallies: dict[str, tuple[int, int, int, int, int]]


@dataclass(frozen=True)
class Parity:
    """Float16 beside float32 on one view. map: largest difference over the largest value; margin: of each frame, 0 to 1."""

    family: str
    view: str
    half_share: float
    map: float | None
    score: float
    margins: tuple[float, ...]
    agree: int
    frames: int


def bundles_of(
    case: Case, name: str, trained: Path, work: Path, trained_on: Path, wanted: Sequence[str]
) -> Iterator[tuple[str, Bundle]]:
    """Each family's command on its checkpoint; the Mahalanobis ones are fitted to the view's frames."""
    good = _linked(work / "fit", case.build)
    calls = {
        "draem": ["draem", "--checkpoint", trained / f"DRAEM_{name}_.pckl", "--size", "256x256", "--masking", "pre"],
        "autoencoder": [
            "autoencoder", "--checkpoint", trained / f"autoencoder-{name}.pth", "--spec", trained / f"autoencoder-{name}.yaml",
        ],
        "bit": ["bit", "--checkpoint", trained / f"bit-{name}/best_ckpt.pt", "--size", "256x256"],
    }  # fmt: skip
    own = ["mahalanobis", "--checkpoint", trained / f"model-{name}.tch", "--images", good, "--quiet"]
    if case.registration.mode != "none":
        own += ["--reference", case.build[0]]
        if case.masks:
            own += ["--masks", _masks(case, work)]
    calls |= {f"mahalanobis {level}": [*own, "--level", level] for level in ("image", "patch")}
    for family, call in ((family, call) for family, call in calls.items() if family in wanted):
        out = work / family.replace(" ", "-")
        golden = [] if family.startswith("mahalanobis") else ["--golden", good]
        if lineclear_export([str(part) for part in (*call, *golden, "--trained-on", trained_on, "--out", out)]):
            sys.exit(f"{family}: export failed")
        yield family, open_bundle(out)


def detection(family: str, case: Case, evaluation: Evaluation) -> Found:
    """The figures, and what the threshold of the one method alarms and misses."""
    (row,) = evaluation.rows
    level = next(each.level for each in row.methods if each.level.kind == METHOD)
    counts: dict[str, list[int]] = {}
    for shot, score in zip(evaluation.shots, row.scores, strict=True):
        count = counts.setdefault("nudged" if "nudged-" in shot.name else "still", [0] * 5)
        verdict = "undecided" if level.image is None else verdict_of(shot.bad, score, level.image)
        count[int(shot.bad)] += 1
        for place, kind in enumerate(("false_alarm", "miss", "undecided"), 2):
            count[place] += verdict == kind
    return Found(
        family, case.name, row.image_auroc.value, row.pixel_auroc.value, row.pro.value, row.ap.value,
        {camera: (c[0], c[1], c[2], c[3], c[4]) for camera, c in counts.items()},
    )  # fmt: skip


def parity(family: str, case: Case, recipe: Recipe, evaluation: Evaluation) -> Parity:
    """Both precisions on every third test frame, where it registers."""
    (row,) = evaluation.rows
    threshold = next(each.level.image for each in row.methods if each.level.kind == METHOD)
    errors, largest, scores, margins, agree = 0.0, 0.0, 0.0, [], 0
    engines = [OnnxRuntimeEngine(recipe.bundle, OnnxRuntimeSettings(precision=each)) for each in ("float32", "float16")]
    with engines[0], engines[1]:
        full, half = (ViewPipeline(recipe, engine) for engine in engines)
        for _, path in [pair for named in case.test.values() for pair in named][::STEP]:
            image = read_image(path)
            alignment = full.align(image)
            if not alignment.trusted:
                continue
            a, b = full.measure(image, alignment), half.measure(image, alignment)
            if a.score is None or b.score is None or threshold is None:
                continue
            if a.anomaly_map.scores is not None and b.anomaly_map.scores is not None:
                errors = max(errors, float(np.abs(a.anomaly_map.scores - b.anomaly_map.scores).max()))
                largest = max(largest, float(np.abs(a.anomaly_map.scores).max()))
            scores = max(scores, abs(a.score - b.score) / abs(a.score))
            margins.append(abs(a.score - b.score) / max(abs(a.score - threshold), 1e-12))
            agree += (a.score > threshold) == (b.score > threshold)
    share = recipe.bundle.manifest.parameters.get("half_share")
    return Parity(
        family, case.name, float(share) if isinstance(share, float) else 0.0, errors / largest if largest else None, scores,
        tuple(margins), agree, len(margins),
    )  # fmt: skip


def detection_table(found: Sequence[Found]) -> str:
    """A line per family: means of the figures over the views, sums of the counts by camera."""
    cameras = list(dict.fromkeys(camera for each in found for camera in each.tallies))
    lines = []
    for family in dict.fromkeys(each.family for each in found):
        mine = [each for each in found if each.family == family]
        figures = [_mean([getattr(each, name) for each in mine]) for name in ("image_auroc", "pixel_auroc", "pro", "ap")]
        sums = [np.sum([each.tallies[camera] for each in mine if camera in each.tallies], axis=0) for camera in cameras]
        counts = [f"{s[2]}/{s[0]} · {s[3]}/{s[1]} · {s[4]}" for s in sums]
        lines.append((family, *figures, *counts))
    heads = [f"{camera}: alarmed · missed · undecided" for camera in cameras]
    return table(("family", "AUROC image", "AUROC pixel", "PRO", "AP", *heads), lines)


def parity_table(found: Sequence[Parity]) -> str:
    """A line per family: the worst of all views."""
    lines = []
    for family in dict.fromkeys(each.family for each in found):
        mine = [each for each in found if each.family == family]
        maps = [each.map for each in mine if each.map is not None]
        margins = [margin for each in mine for margin in each.margins] or [float("nan")]
        agree, frames = sum(each.agree for each in mine), sum(each.frames for each in mine)
        lines.append(
            (
                family,
                f"{mine[0].half_share:.2f}",
                f"{100 * max(maps):.3f} %" if maps else "no map",
                f"{100 * max(each.score for each in mine):.3f} %",
                f"{100 * float(np.median(margins)):.3f} %",
                f"{100 * max(margins):.1f} %",
                f"{agree}/{frames}",
            )
        )
    heads = (
        "family",
        "half share",
        "map, worst",
        "score, worst",
        "of the margin, median",
        "of the margin, worst",
        "same verdict",
    )
    return table(heads, lines)


def main(argv: Sequence[str] | None = None) -> int:
    """0, also where the data is absent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("--trained", type=Path, required=True, metavar="DIR")
    parser.add_argument("--views", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=FAMILIES, metavar="NAME", help="only these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every figure of every view")
    args = parser.parse_args(argv)
    if absent := leftovers.missing():
        print(f"skipped: {absent}")
        return 0
    cv2.setNumThreads(1)
    every = sweep_cases.leftover_cases if args.set == "leftovers" else sweep_cases.hazelnut_cases
    cases = list(every(args.views))
    found: list[Found] = []
    halves: list[Parity] = []
    with tempfile.TemporaryDirectory(prefix="lineclear-trained-") as folder:
        trained_on = _linked(Path(folder) / "trained-on", [path for case in every(None) for path in case.build])
        for case in cases:
            work = Path(folder) / case.name
            work.mkdir()
            recipe = sweep.recipe_of(case, work)
            labelled, good = case.lay_out(work)
            tests = read_labelled(labelled)
            exported = bundles_of(case, args.set, args.trained, work, trained_on, args.families)
            for family, bundle in chain([("variation", recipe.bundle)], exported):
                mine = with_bundle(recipe, bundle)
                judged = evaluate(mine, tests, good=good, open_engine=_engine, options=Options(rounds=0))
                found.append(detection(family, case, judged))
                halves.append(parity(family, case, mine, judged))
                print(found[-1], file=sys.stderr, flush=True)
    print(f"{len(cases)} views, thresholds: {METHOD}\n\n{detection_table(found)}\n\n{parity_table(halves)}")
    if args.json:
        args.json.write_text(json.dumps([asdict(each) for each in (*found, *halves)], indent=1))
    return 0


def _engine(bundle: Bundle) -> OnnxRuntimeEngine:
    return OnnxRuntimeEngine(bundle, OnnxRuntimeSettings())


def _linked(folder: Path, paths: Sequence[Path]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for place, path in enumerate(paths):
        (folder / f"{place:04d}-{path.name}").symlink_to(path)
    return folder


def _masks(case: Case, work: Path) -> Path:
    lines = ["schema: 1", "masks:"]
    for mask in case.masks:
        corners = ", ".join(f"[{x}, {y}]" for x, y in mask.points)
        lines += [f"- name: {mask.name}", f"  points: [{corners}]"]
    path = work / "fit-masks.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{100 * sum(known) / len(known):.1f}" if known else "no map"


if __name__ == "__main__":
    sys.exit(main())
