"""The eight configurations of the line-clearance study on real images, by `calibration.evaluate` itself.

    python -m benchmarks.sweep TASK [--cases NAME ...] [--bundle DIR] [--rounds N] [--json FILE] [--report DIR]

TASK: leftovers (8 composed views, camera still and nudged in one set), pitting, hazelnut, dobot, cubes (those of dobot, each
colour by itself), piped. The model is the variation bundle, built here from good frames; thresholds come from other good
frames; both are in `sweep_cases`. With --bundle also a trained one, for one case. Prints Markdown for docs/evaluation.md: a
table per case, then sections that sum up.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

import cv2

from benchmarks import leftovers, sweep_cases, sweep_cubes
from benchmarks.sweep_cases import Case
from calibration.evaluate import Evaluation, Options, Row, Sweep, read_labelled, sweep, verdict_of
from calibration.report import sweep_document, write_sweep
from calibration.report.markdown import best_line, configurations_markdown, table
from calibration.report.words import study_rows
from edge.bundle import Bundle, open_bundle
from edge.cameras.images import read_image
from edge.cli.progress import Meter
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.masks import rasterise
from edge.recipe import Content, Recipe, RecipeFile, load_recipe, save
from edge.settings.engines import OnnxRuntimeSettings
from export.adapters.registering import GoodFrame
from export.adapters.variation import build

TASKS: dict[str, Callable[[Sequence[str] | None], Iterator[Case]]] = {
    "leftovers": sweep_cases.leftover_cases,
    "pitting": sweep_cases.pitting_cases,
    "hazelnut": sweep_cases.hazelnut_cases,
    "dobot": sweep_cases.dobot_cases,
    "cubes": sweep_cases.cube_cases,
    "piped": sweep_cases.piped_cases,
}
STATION, NOT_REGISTERED, NOT_MASKED, POST_MASKED = "PRE+M+R", "PRE+M+NR", "PRE+NM+R", "PO+M+R"


def recipe_of(case: Case, folder: Path) -> Recipe:
    """The case's recipe with a variation bundle built from its good frames."""
    frames = [GoodFrame(read_image(path), path.name, _sha256(path)) for path in case.build]
    reference = frames[0].image
    size_wh = (reference.shape[1], reference.shape[0])
    judged = ~rasterise(case.masks, size_wh)
    bundle = build(frames, reference, size_wh=case.size_wh, register=case.registration, judged=judged).write(
        folder / "bundle", "bench"
    )
    fields = {
        "schema": 1,
        "view": "bench",
        "bundle": bundle.name,
        "bundle_hash": bundle.content_hash,
        "registration": case.registration,
        "reference_sha256": "0" * 64,
        "created_by": "bench",
        "created_at": datetime.now(timezone.utc),
        "why": "benchmark",
    }
    document = RecipeFile.model_validate(fields)
    save(folder / "recipe", Content(document, bundle, reference, case.masks))
    return load_recipe(folder / "recipe")


def run(case: Case, options: Options, bundles: Sequence[Bundle], report: Path | None) -> Sweep:
    """Build, lay out, sweep."""
    with tempfile.TemporaryDirectory(prefix="lineclear-sweep-") as work:
        folder = Path(work)
        recipe = recipe_of(case, folder)
        labelled, good = case.lay_out(folder)
        tests = read_labelled(labelled)
        with Meter(case.name) as meter:
            result = sweep(
                recipe,
                tests,
                good=good,
                open_engine=lambda bundle: OnnxRuntimeEngine(bundle, OnnxRuntimeSettings()),
                bundles=(recipe.bundle, *bundles) if bundles else (),
                options=options,
                progress=meter,
            )
        if report:
            write_sweep(report / case.name, result)
        return result


def gains(results: Sequence[tuple[Case, Evaluation]], mine: str, other: str) -> str:
    """A line per view: the figures of one configuration and of another, and what became of the frames of each kind."""
    figures = ("AUROC image", "PRO", "AP", "ACC", "alarmed / missed / undecided")
    columns = ("view", *(head for name in figures for head in (f"{name} {mine}", other)))
    lines = []
    for case, evaluation in results:
        a, b = _row(evaluation, mine), _row(evaluation, other)
        pairs = [
            (_percent(getattr(a, name).value), _percent(getattr(b, name).value))
            for name in ("image_auroc", "pro", "ap", "accuracy")
        ]
        lines.append((case.name, *(cell for pair in pairs for cell in pair), _errors(a), _errors(b)))
    return table(columns, lines)


def everything(results: Sequence[tuple[Case, Evaluation]]) -> str:
    """The study's tables of all views in one: a line per view and figure, a column per configuration that was measured."""
    wanted = ("AUROC image", "AUROC pixel", "PRO", "IoU", "AP", "ACC", "method")
    lines = []
    for case, evaluation in results:
        rows = _measured(evaluation)
        for name, cells in study_rows(rows):
            if name in wanted:
                lines.append((case.name, name, *(value for value, _ in cells)))
        lines.append((case.name, "alarmed / missed / undecided", *(_errors(row) for row in rows)))
    return table(("view", "", *(row.configuration.code for row in _measured(results[0][1]))), lines)


def by_camera(results: Sequence[tuple[Case, Evaluation]]) -> str:
    """Leftovers: good frames alarmed and leftovers missed with the camera still and nudged, summed over the views."""
    lines = []
    for code in (STATION, NOT_REGISTERED):
        counts = {camera: [0, 0, 0, 0, 0] for camera in ("still", "nudged")}
        for _, evaluation in results:
            row = _row(evaluation, code)
            level = row.method.level.image if row.method else None
            for shot, score in zip(evaluation.shots, row.scores, strict=True):
                count = counts["nudged" if "nudged-" in shot.name else "still"]
                verdict = "undecided" if level is None else verdict_of(shot.bad, score, level)
                count[0] += not shot.bad
                count[1] += shot.bad
                for place, name in enumerate(("false_alarm", "miss", "undecided"), 2):
                    count[place] += verdict == name
        for camera, (good, bad, alarms, misses, undecided) in counts.items():
            lines.append((code, camera, f"{alarms}/{good}", f"{misses}/{bad}", f"{undecided}/{good + bad}"))
    return table(("configuration", "camera", "good alarmed", "leftovers missed", "undecided"), lines)


def methods(results: Sequence[tuple[Case, Evaluation]], code: str) -> str:
    """One configuration, summed over the views: what each threshold method alarms and misses."""
    lines = []
    for index, first in enumerate(_row(results[0][1], code).methods):
        rows = [_row(evaluation, code).methods[index] for _, evaluation in results]
        tallies = [row.tally for row in rows if row.tally is not None]
        refused = len(rows) - len(tallies)
        good, bad = sum(each.good for each in tallies), sum(each.bad for each in tallies)
        alarms, misses = sum(each.false_alarms for each in tallies), sum(each.misses for each in tallies)
        why = next((row.level.refused for row in rows if row.level.refused), "")
        counted = (f"{alarms}/{good}", f"{misses}/{bad}") if tallies else ("", "")
        lines.append((first.level.name, *counted, f"{refused} of {len(rows)}", why))
    return table(("method", "good alarmed", "bad missed", "views where it was refused", "why"), lines)


def main(argv: Sequence[str] | None = None) -> int:
    """0, also where the data is absent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=tuple(TASKS))
    parser.add_argument("--cases", nargs="+", metavar="NAME", help="only these views or types")
    parser.add_argument(
        "--bundle", type=Path, nargs="+", default=[], metavar="DIR", help="trained bundles beside the variation model"
    )
    parser.add_argument("--rounds", type=int, default=300, metavar="N", help="of the bootstrap (default 300; 0: no intervals)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every figure of every case")
    parser.add_argument("--report", type=Path, metavar="DIR", help="a report per case under this folder")
    args = parser.parse_args(argv)
    if absent := leftovers.missing():
        print(f"skipped: {absent}")
        return 0
    cv2.setNumThreads(2)
    options = Options(rounds=args.rounds)
    started = time.monotonic()
    results: list[tuple[Case, Evaluation]] = []
    documents = {}
    bundles = [open_bundle(path) for path in args.bundle]
    for case in TASKS[args.task](args.cases):
        swept = run(case, options, bundles, args.report)
        documents[case.name] = sweep_document(swept)
        for evaluation in swept.evaluations:
            results.append((case, evaluation))
            _show(case, evaluation)
    _summary(args.task, results)
    print(f"\n{time.monotonic() - started:.0f} s", file=sys.stderr)
    if args.json:
        args.json.write_text(json.dumps(documents, allow_nan=False))
    return 0


def _show(case: Case, evaluation: Evaluation) -> None:
    good = sum(not shot.bad for shot in evaluation.shots)
    split = f"model from {len(case.build)}, thresholds from {len(case.good)} frames"
    print(f"{good} good and {len(evaluation.shots) - good} bad frames; {split}. {case.why}\n")
    print(configurations_markdown(evaluation))
    print(best_line(evaluation).replace("bench:", f"{case.name}:"))
    for note in evaluation.notes:
        print(f"- {note}")


def _summary(task: str, results: Sequence[tuple[Case, Evaluation]]) -> None:
    print("\n## Registration\n")
    print(gains(results, STATION, NOT_REGISTERED))
    if any(case.masks for case, _ in results):
        print("\n## Masks\n")
        print(gains(results, STATION, NOT_MASKED))
        print("\n## Masked before or after\n")
        print(gains(results, STATION, POST_MASKED))
    if task == "leftovers":
        print("\n## Camera still and nudged, at each view's best threshold\n")
        print(by_camera(results))
    print(f"\n## Threshold methods, {STATION}, all cases\n")
    print(methods(results, STATION))
    print(f"\n## Threshold methods, {NOT_REGISTERED}, all cases\n")
    print(methods(results, NOT_REGISTERED))
    print("\n## All configurations\n")
    print(everything(results))
    if task == "dobot":
        print("\n## Score by colour\n")
        print(sweep_cubes.scores_by_colour(*results[0], STATION))
        print("\n## Spread that the model learnt\n")
        print(sweep_cubes.spreads(results[0][0]))


def _measured(evaluation: Evaluation) -> tuple[Row, ...]:
    """Without masks PO and PRE are the same, and M is NM: each of them once."""
    return tuple(row for row in evaluation.rows if row.measured_as == row.configuration)


def _row(evaluation: Evaluation, code: str) -> Row:
    return next(row for row in evaluation.rows if row.configuration.code == code)


def _percent(value: float | None) -> str:
    return "undefined" if value is None else f"{100 * value:.1f}"


def _errors(row: Row) -> str:
    tally = row.method.tally if row.method else None
    undecided = sum(score is None for score in row.scores)
    return f"- / - / {undecided}" if tally is None else f"{tally.false_alarms} / {tally.misses} / {tally.undecided}"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
