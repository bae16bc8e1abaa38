"""Does a card keep its promise? False alarms on held-back good frames against the rate that the card promised.

    python -m benchmarks.guarantee [--views NAME ...] [--splits N] [--simulated] [--json FILE]

The good frames of each bsdata view that did not build the model (20 of train/good less the first 15, and test/good, in time
order) are scored once with the variation bundle. 200 times they are split at random, half to take the thresholds, half
held back; and once by time: thresholds from the older half, judged on the younger. A card promises for exchangeable
frames. A random split makes them exchangeable, so it tests the method and the code; the split by time tests the belief.

Three groups: the control view alone; every view with its own thresholds, counts added up; and one heap of all views, each
view's scores divided by their median, which is the only way to have enough frames here for 1 % and for a tail.

`z`: how far the mean of the splits lies above the promise, in its own standard errors; MISSED above 3. `kept`: the share of
splits whose count is not above the upper end of the card's 95 % interval (for a count in so many frames); 97.5 % belongs to
it. `p`: the share of the random splits that alarm as often as the split by time; small: later frames are not like earlier.

--simulated: scores drawn from distributions whose true rate above a threshold is known exactly; `covered` is the share of
cards whose 95 % interval holds it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, binom, expon, gamma, lognorm, spearmanr, t

from benchmarks import leftovers
from benchmarks.chains import MODEL_FRAMES
from calibration.frames import measure_folder
from calibration.methods import Levels, Method, take_levels
from edge.cameras.images import read_image
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import ConfigError
from edge.recipe import Content, RecipeFile, load_recipe, save
from edge.settings.engines import OnnxRuntimeSettings
from export.adapters.registering import GoodFrame
from export.adapters.variation import build

Scores = NDArray[np.float64]
CONTROL = "477500_315"
SEED = 2026
SPLITS = 200
PROMISED = ("quantile", "conformal")
"""The methods that must keep their promise; the others are shown."""
ROOT = Path(__file__).resolve().parents[1]
NO_PIXELS = np.zeros(1, np.float32)
METHODS = {
    "max": Method(kind="max"),
    "quantile 95 %, no margin": Method(kind="quantile", quantile=0.95, margin=0.0),
    "quantile 99.5 %": Method(kind="quantile"),
    "sigma 3": Method(kind="sigma"),
    "conformal 10 %": Method(kind="conformal", alpha=0.10),
    "conformal 5 %": Method(kind="conformal", alpha=0.05),
    "conformal 1 %": Method(kind="conformal", alpha=0.01),
    "extreme 10/1000": Method(kind="extreme", rate=0.01),
    "extreme 4/1000": Method(kind="extreme", rate=0.004),
    "extreme 1/1000": Method(kind="extreme", rate=0.001),
}
DRAWN = {"lognormal": lognorm(0.4), "exponential": expon(), "gamma 4": gamma(4), "t 4": t(4)}
DRAWN_FRAMES = (120, 400)
HEADER = (
    f"{'method':24s} {'frames':>7s} {'promised':>9s} {'measured':>9s} {'z':>6s} {'kept':>6s} {'refused':>8s}"
    f" {'by time':>10s} {'p':>6s}"
)


@dataclass(frozen=True)
class Row:
    """One method on one group. Rates per 1000 good frames. by_time: alarms of the split by time, of time_frames."""

    group: str
    method: str
    calibration: int
    held_back: int
    promised: float
    measured: float
    z: float
    kept: float
    refused: int
    splits: int
    by_time: int | None
    time_frames: int
    p: float | None
    refusal: str = ""

    @property
    def is_met(self) -> bool:
        """The mean of the splits is not above the promise, beyond what 200 draws leave open."""
        return self.refused == self.splits or self.z <= 3

    def line(self) -> str:
        """As it is printed."""
        if self.refused == self.splits:
            return f"{self.method:24s} {self.calibration:7d} refused: {self.refusal}"
        time = "-" if self.by_time is None else f"{self.by_time}/{self.time_frames}"
        p = "-" if self.p is None else f"{self.p:.3f}"
        met = "met" if self.is_met else "MISSED"
        return (
            f"{self.method:24s} {self.calibration:7d} {self.promised:9.1f} {self.measured:9.1f} {self.z:6.1f}"
            f" {100 * self.kept:5.1f}% {self.refused:4d}/{self.splits:d} {time:>10s} {p:>6s}  {met}"
        )


@dataclass(frozen=True)
class Split:
    """What one split of one set of frames gave: alarms among the held-back, what was promised, the most it allows."""

    alarms: int
    held_back: int
    promised: float
    most: float


def scores_of(view: str) -> Scores:
    """The image scores of a view's held-back good frames in time order; kept until code or images change."""
    folder = leftovers.DATA / "bsdata" / view
    train, test = sorted((folder / "train" / "good").iterdir()), sorted((folder / "test" / "good").iterdir())
    kept = leftovers.cache_root() / "guarantee" / f"{view}-{_fingerprint(train + test)}.json"
    if kept.is_file():
        return np.array(json.loads(kept.read_text()), np.float64)
    frames = [GoodFrame(read_image(path), path.name) for path in train[:MODEL_FRAMES]]
    with tempfile.TemporaryDirectory(prefix="lineclear-guarantee-") as scratch:
        work = Path(scratch)
        bundle = build(frames, frames[0].image).write(work / "bundle", "benchmarks.guarantee")
        fields = {
            "schema": 1, "view": "bench", "bundle": bundle.name, "bundle_hash": bundle.content_hash,
            "reference_sha256": "0" * 64, "created_by": "bench", "created_at": datetime.now(timezone.utc), "why": "benchmark",
        }  # fmt: skip
        save(work / "recipe", Content(RecipeFile.model_validate(fields), bundle, frames[0].image))
        (work / "held").mkdir()
        for path in train[MODEL_FRAMES:] + test:
            (work / "held" / path.name).symlink_to(path)
        recipe = load_recipe(work / "recipe")
        with OnnxRuntimeEngine(recipe.bundle, OnnxRuntimeSettings()) as engine:
            measured = measure_folder(recipe, engine, work / "held", keep_pixels=False)
    for name, why in measured.refused.items():
        print(f"{view}: refused {name}: {why}", file=sys.stderr)
    in_time = [score for _, score in sorted(zip(measured.names, measured.scores, strict=True))]
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(in_time))
    return np.array(in_time, np.float64)


def split(scores: Scores, chosen: NDArray[np.intp], method: Method) -> Split:
    """Thresholds from the chosen frames, judged on the others. Raises ConfigError where the method refuses."""
    held = np.delete(scores, chosen)
    levels = take_levels(scores[chosen], NO_PIXELS, method)
    alarms = int(np.count_nonzero(held > levels.image))
    return Split(alarms, len(held), levels.false_alarms.expected, _most(levels, len(chosen), len(held)))


def judge(group: str, name: str, sets: Sequence[Scores], splits: int, ends: Sequence[NDArray[np.intp]]) -> Row:
    """One method on sets of frames, each with thresholds of its own; ends: the older frames of each set."""
    method, random = METHODS[name], np.random.default_rng(SEED)
    rates, promises, kept, refusal, refused = [], [], [], "", 0
    for _ in range(splits):
        try:
            drawn = [split(each, random.permutation(len(each))[: len(each) // 2], method) for each in sets]
        except ConfigError as error:
            refusal, refused = f"{error.message}: {error.remedy}", refused + 1
            continue
        rates.append(sum(each.alarms for each in drawn) / sum(each.held_back for each in drawn))
        promises.append(sum(each.promised * each.held_back for each in drawn) / sum(each.held_back for each in drawn))
        kept += [each.alarms <= each.most for each in drawn]
    by_time, frames = _by_time(sets, ends, method)
    measured, promised = (float(np.mean(values)) if values else 0.0 for values in (rates, promises))
    own_error = float(np.std(rates, ddof=1)) / len(rates) ** 0.5 if len(rates) > 1 else 0.0
    as_often = [rate >= by_time / frames for rate in rates] if by_time is not None else []
    return Row(
        group=group,
        method=name,
        calibration=sum(len(each) // 2 for each in sets),
        held_back=sum(len(each) - len(each) // 2 for each in sets),
        promised=1000 * promised,
        measured=1000 * measured,
        z=(measured - promised) / own_error if own_error else 0.0,
        kept=float(np.mean(kept)) if kept else 0.0,
        refused=refused,
        splits=splits,
        by_time=by_time,
        time_frames=frames,
        p=(1 + sum(as_often)) / (1 + len(as_often)) if as_often else None,
        refusal=refusal,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """0 if conformal and quantile keep their promise (or the data is absent), 1 if one does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", nargs="+", metavar="NAME", help="only these views")
    parser.add_argument("--splits", type=int, default=SPLITS, metavar="N")
    parser.add_argument("--simulated", action="store_true", help="also scores of which the truth is known")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every row here")
    args = parser.parse_args(argv)
    if not (leftovers.DATA / "bsdata").is_dir():
        print(f"skipped: {leftovers.DATA / 'bsdata'} is absent")
        return 0
    cv2.setNumThreads(2)
    views = args.views or leftovers.view_names()
    scores = {}
    for view in views:
        print(f"{view} ...", file=sys.stderr, flush=True)
        scores[view] = scores_of(view)
    heap = np.concatenate([each / np.median(each) for each in scores.values()])
    starts = np.cumsum([0, *(len(each) for each in scores.values())])
    older = np.concatenate([start + _older(each) for start, each in zip(starts, scores.values(), strict=False)])
    groups = {f"view {view}": ([scores[view]], [_older(scores[view])]) for view in views if view == CONTROL}
    groups[f"{len(views)} views, each with its own thresholds"] = (
        list(scores.values()),
        [_older(each) for each in scores.values()],
    )
    groups[f"{len(views)} views in one heap"] = ([heap], [older])
    rows = [judge(group, name, sets, args.splits, ends) for group, (sets, ends) in groups.items() for name in METHODS]
    report(rows, scores)
    if args.simulated:
        simulated(args.splits)
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 0 if all(row.is_met for row in rows if row.method.startswith(PROMISED)) else 1


def report(rows: Sequence[Row], scores: dict[str, Scores]) -> None:
    """Print the tables and whether the promises hold."""
    for group in dict.fromkeys(row.group for row in rows):
        mine = [row for row in rows if row.group == group]
        print(f"\n{group}: {mine[0].calibration} frames for the thresholds, {mine[0].held_back} held back, per 1000\n{HEADER}")
        for row in mine:
            print(row.line())
    print("\nscore against time (Spearman)")
    for view, each in scores.items():
        rho, p = spearmanr(np.arange(len(each)), each)
        print(f"{view:14s} {len(each):4d} frames  rho {rho:+.2f}  p {p:.2g}")
    for promise in PROMISED:
        mine = [row for row in rows if row.method.startswith(promise)]
        print(f"{'met ' if all(row.is_met for row in mine) else 'MISSED'} {promise} keeps its promise on random splits")


def simulated(trials: int) -> None:
    """Print what the cards promise and what is true, for scores of known distributions."""
    print(f"\nknown distributions, {trials} cards each, per 1000")
    print(f"{'scores':12s} {'frames':>6s} {'method':24s} {'promised':>9s} {'true':>9s} {'covered':>8s} {'refused':>8s}")
    for name, drawn in DRAWN.items():
        for count in DRAWN_FRAMES:
            for kind in ("sigma 3", "conformal 1 %", "extreme 10/1000", "extreme 4/1000", "extreme 1/1000"):
                random, found = np.random.default_rng(SEED), []
                for _ in range(trials):
                    try:
                        levels = take_levels(drawn.rvs(size=count, random_state=random), NO_PIXELS, METHODS[kind])
                    except ConfigError:
                        continue
                    alarms, true = levels.false_alarms, float(drawn.sf(levels.image))
                    found.append((alarms.expected, true, alarms.low <= true <= alarms.high))
                promised, true, covered = np.mean(found, axis=0) if found else (0.0, 0.0, 0.0)
                print(
                    f"{name:12s} {count:6d} {kind:24s} {1000 * promised:9.2f} {1000 * true:9.2f} {100 * covered:7.1f}%"
                    f" {trials - len(found):4d}/{trials}"
                )


def _by_time(sets: Sequence[Scores], ends: Sequence[NDArray[np.intp]], method: Method) -> tuple[int | None, int]:
    try:
        drawn = [split(each, end, method) for each, end in zip(sets, ends, strict=True)]
    except ConfigError:
        return None, sum(len(each) - len(end) for each, end in zip(sets, ends, strict=True))
    return sum(each.alarms for each in drawn), sum(each.held_back for each in drawn)


def _older(scores: Scores) -> NDArray[np.intp]:
    return np.arange(len(scores) // 2)


def _most(levels: Levels, count: int, held: int) -> float:
    """The most alarms among `held` frames that the card's interval allows."""
    alarms = levels.false_alarms
    if alarms.interval == "bootstrap":
        return float(binom.ppf(0.975, held, alarms.high))
    return float(betabinom.ppf(0.975, held, alarms.above + 1, count - alarms.above))


def _fingerprint(images: Sequence[Path]) -> str:
    """Of everything that the scores come from: the code of the station and of the model, and the images."""
    digest = hashlib.sha256()
    code = [
        *sorted((ROOT / "edge").rglob("*.py")),
        *sorted((ROOT / "export").rglob("*.py")),
        ROOT / "calibration" / "frames.py",
    ]
    for path in [*code, *images]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
