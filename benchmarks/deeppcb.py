"""Two-image comparison on DeepPCB: boxes touched and false regions, beside plain differencing, in one run.

    python -m benchmarks.deeppcb [--pairs N] [--json FILE]

Template as reference, test image as frame, one recipe per pair in memory, through the station's own path: registration
`track`, warp, the bundle of `lineclear-export comparison`, smoothing. A pixel is predicted where the smoothed map is above
the threshold, for the baseline where |difference| > 100 after a 3x3 opening, on the images as they are. The same counting
for both, in the pixels of the test image: a box is touched if a predicted pixel lies in it (x1 <= x < x2, y1 <= y < y2); an
image has false pixels if one lies outside every box; a false region is one connected area (8-neighbour) of such pixels.

The threshold comes from the first 50 pairs by name alone: SAFETY times the highest at which every box of theirs is touched.
A pair whose template has too little to track (an area of copper, two straight tracks) is refused by `track` and would be
UNDECIDED; it is judged again with `mode: none`, as a technician would set such a view. Both rows are printed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np

from edge.bundle import Bundle
from edge.cameras.images import read_image
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.pipeline import ViewPipeline
from edge.recipe import Hashes, Recipe, RecipeFile
from edge.settings.engines import OnnxRuntimeSettings
from edge.settings.registration import Gates, RegistrationSettings
from edge.types import ImageU8, MapF32, MaskBool
from export.adapters.comparison import write_comparison
from export.adapters.comparison_model import ComparisonSettings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "deeppcb"
TUNING_PAIRS, SAFETY = 50, 0.9
PLAIN_DIFFERENCE = 100
# Boards are cut from scans that are not quite square to each other, and have corners in a few places only.
GATES = Gates(max_shear=0.03, min_coverage=0.1)
THRESHOLDS = np.arange(20.0, 300.0, 1.0)

BoxXyxy = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Pair:
    """One template with its test image, uint8 HxW, and the defects' boxes in pixels of the test image."""

    name: str
    template: ImageU8
    test: ImageU8
    boxes: tuple[BoxXyxy, ...]


@dataclass(frozen=True, eq=False)
class Scored:
    """A pair's smoothed map in pixels of the test image, float32 HxW, 0 where nothing is judged; None where refused."""

    pair: Pair
    scores: MapF32 | None
    mode: str


@dataclass(frozen=True)
class Row:
    """What one method found in some pairs."""

    method: str
    pairs: int
    undecided: int
    boxes: int
    touched: int
    false_images: int
    false_regions: int

    def line(self) -> str:
        """As it is printed."""
        share = 100 * self.touched / max(1, self.boxes)
        return (
            f"{self.method:42s} {self.pairs:5d} {self.undecided:9d} {self.touched:5d}/{self.boxes:<5d} {share:6.1f} % "
            f"{self.false_images:12d} {self.false_regions:13d} {self.false_regions / max(1, self.pairs):9.2f}"
        )


HEADER = (
    f"{'method':42s} {'pairs':>5s} {'undecided':>9s} {'boxes touched':>20s} {'false images':>12s} {'false regions':>13s}"
    f" {'per image':>9s}"
)


def read_pairs(data: Path) -> list[Pair]:
    """All pairs of the folder, by name."""
    pairs = []
    for path in sorted(data.glob("*_test.jpg")):
        name = path.name.removesuffix("_test.jpg")
        lines = (data / f"{name}.txt").read_text().split("\n")
        boxes = [tuple(int(value) for value in line.replace(",", " ").split()[:4]) for line in lines if line.strip()]
        template, test = _grey(data / f"{name}_temp.jpg"), _grey(path)
        pairs.append(Pair(name, template, test, tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in boxes)))
    return pairs


def _grey(path: Path) -> ImageU8:
    """Some of the set's files are grey and some are grey saved as colour."""
    image = read_image(path)
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def plain(pair: Pair) -> MaskBool:
    """|difference| > 100, opened by 3x3; bool HxW."""
    above = (cv2.absdiff(pair.template, pair.test) > PLAIN_DIFFERENCE).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(above, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0)


def count(method: str, found: Iterable[tuple[Pair, MaskBool | None]]) -> Row:
    """The row of these predictions, bool HxW in pixels of the test image; None: undecided, so nothing is touched."""
    row = Row(method, 0, 0, 0, 0, 0, 0)
    for pair, predicted in found:
        shown = np.zeros(pair.test.shape[:2], bool) if predicted is None else predicted
        outside = shown.copy()
        for x0, y0, x1, y1 in pair.boxes:
            outside[y0:y1, x0:x1] = False
        regions = cv2.connectedComponents(outside.astype(np.uint8), connectivity=8)[0] - 1
        row = replace(
            row,
            pairs=row.pairs + 1,
            undecided=row.undecided + (predicted is None),
            boxes=row.boxes + len(pair.boxes),
            touched=row.touched + sum(bool(shown[y0:y1, x0:x1].any()) for x0, y0, x1, y1 in pair.boxes),
            false_images=row.false_images + bool(regions),
            false_regions=row.false_regions + regions,
        )
    return row


def recipe_of(pair: Pair, bundle: Bundle, mode: str) -> Recipe:
    """A recipe in memory: the template as reference, no masks, no card."""
    registration = RegistrationSettings.model_validate({"mode": mode, "gates": GATES})
    nothing = "0" * 64
    document = RecipeFile.model_validate(
        {
            "view": "board",
            "bundle": bundle.name,
            "bundle_hash": bundle.content_hash,
            "reference_sha256": nothing,
            "registration": registration,
            "created_by": "benchmark",
            "created_at": datetime.now(timezone.utc),
            "why": "benchmark",
            "schema": 1,
        }
    )
    hashes = Hashes(bundle=bundle.content_hash, reference=nothing, masks=nothing, registration=nothing, score_rule=nothing)
    return Recipe(
        path=Path(pair.name),
        version=1,
        document=document,
        bundle=bundle,
        reference=pair.template,
        masks=(),
        card=None,
        reference_to_model=document.homography(),
        hashes=hashes,
    )


def score(pair: Pair, bundle: Bundle, engine: OnnxRuntimeEngine, modes: Sequence[str]) -> Scored:
    """The pair's smoothed map by the first of these registration modes that is trusted."""
    for mode in modes:
        pipeline = ViewPipeline(recipe_of(pair, bundle, mode), engine)
        judged = pipeline.judge(pair.test)
        if judged.measurement is None or judged.alignment is None or not judged.alignment.trusted:
            continue
        smoothed = judged.measurement.smoothed
        if smoothed is None:
            raise RuntimeError(f"{pair.name}: {judged.measurement.fault}")
        to_frame = np.linalg.inv(pipeline.reference_to_map @ judged.alignment.frame_to_reference)
        size_wh = (pair.test.shape[1], pair.test.shape[0])
        return Scored(pair, np.asarray(cv2.warpPerspective(smoothed, to_frame, size_wh), np.float32), mode)
    return Scored(pair, None, "refused")


def tuned_threshold(scored: Sequence[Scored]) -> float:
    """SAFETY times the highest threshold at which every box of these pairs is touched."""
    peaks = [
        each.scores[y0:y1, x0:x1].max() for each in scored if each.scores is not None for x0, y0, x1, y1 in each.pair.boxes
    ]
    return SAFETY * float(np.min(peaks))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deeppcb", description=__doc__)
    parser.add_argument("--pairs", type=int, help="only so many, the first by name")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    if not DATA.is_dir():
        sys.stderr.write(f"{DATA} is not there\n")
        return 1
    pairs = read_pairs(DATA)[: args.pairs]
    size_wh = (pairs[0].template.shape[1], pairs[0].template.shape[0])
    with tempfile.TemporaryDirectory() as scratch:
        bundle = write_comparison(Path(scratch) / "bundle", size_wh, ComparisonSettings(), "benchmark")
        with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=2)) as engine:
            scored = [score(pair, bundle, engine, ("track", "none")) for pair in pairs]
    rows, threshold = table(pairs, scored)
    modes = {mode: sum(each.mode == mode for each in scored) for mode in ("track", "none", "refused")}
    sys.stdout.write(
        f"{len(pairs)} pairs, registration {modes}, threshold {threshold:.1f} from {TUNING_PAIRS} pairs\n{HEADER}\n"
    )
    sys.stdout.writelines(row.line() + "\n" for row in rows)
    if args.json:
        args.json.write_text(
            json.dumps({"threshold": threshold, "modes": modes, "rows": [asdict(row) for row in rows]}, indent=1)
        )
    return 0


def table(pairs: Sequence[Pair], scored: Sequence[Scored]) -> tuple[list[Row], float]:
    """(the rows for all pairs, for those that tuned the threshold and for the rest; the threshold)."""
    threshold = tuned_threshold(scored[:TUNING_PAIRS])
    parts = {"all": slice(None), "tuning part": slice(TUNING_PAIRS), "the rest": slice(TUNING_PAIRS, None)}
    rows = []
    for part, chosen in parts.items():
        found = [(each.pair, None if each.scores is None else each.scores > threshold) for each in scored[chosen]]
        tracked = [
            (pair, found_here if each.mode == "track" else None)
            for (pair, found_here), each in zip(found, scored[chosen], strict=True)
        ]
        rows.append(count(f"plain difference, {part}", ((pair, plain(pair)) for pair in pairs[chosen])))
        rows.append(count(f"comparison, track only, {part}", tracked))
        rows.append(count(f"comparison, track or none, {part}", found))
    return rows, threshold


if __name__ == "__main__":
    sys.exit(main())
