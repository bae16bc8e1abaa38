"""Ideals by symmetry on the gears of shared/data, and what the comparison finds with them.

    python -m benchmarks.gear

1. The data set's own ideal of one gear (16 turns, each aligned by ECC, pixel median) beside ours (one axis, 16 turns, pixel
   median), on the same 1024x1024 picture. In the data set `A` holds the ideal and `B` the picture as it was taken.
2. Both 2448x2048 photographs as frames of a free part, each judged with the ideal of either: the highest smoothed score on
   the annotated defect beside the highest elsewhere on the part. Two gears are no statistics: it says how it works, no more.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.deeppcb import Pair, recipe_of
from calibration.reference import Ideal, Where, rotational
from edge.bundle import Bundle
from edge.cameras.images import read_image
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.pipeline import ViewPipeline
from edge.settings.engines import OnnxRuntimeSettings
from edge.types import ImageU8
from export.adapters.comparison import write_comparison
from export.adapters.comparison_model import ComparisonSettings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "gear"
BORE_PX, ASIDE_PX, PLACE = 230.0, 9, (1223.0, 1023.0)
SIZE_WH = (1224, 1024)
STRAYS_GREY = 40


@dataclass(frozen=True, eq=False)
class Gear:
    """A photograph, uint8 HxWx3, and bool HxW of its annotated defect."""

    name: str
    image: ImageU8
    defect: ImageU8


def tiles(kind: str) -> ImageU8:
    """The data set's 1024x1024 picture of one gear from its four quarters: A the ideal, B as it was taken."""
    folder = DATA / "Dataset_ROBOFLOW_augmented" / kind
    quarters = [read_image(sorted(folder.glob(f"*_{tile}.png"))[0]) for tile in (1, 2, 3, 4)]
    return np.asarray(np.vstack([np.hstack(quarters[:2]), np.hstack(quarters[2:])]), np.uint8)


def gears() -> list[Gear]:
    """The two photographs."""
    folder = DATA / "roboflow_original" / "train"
    return [
        Gear(path.name.split("_jpg")[0], read_image(path), read_image(folder / "masks" / f"{path.stem}.png"))
        for path in sorted(folder.glob("*.jpg"))
    ]


def beside_the_data_sets() -> Iterator[str]:
    """How far the two ideals are from each other and from the picture, on the part."""
    theirs, frame = tiles("A"), tiles("B")
    started = time.perf_counter()
    ideal = rotational(frame, Where("dark", inner_px=BORE_PX))
    seconds = time.perf_counter() - started
    rows, columns = np.indices(frame.shape)
    part = np.hypot(columns - ideal.ring.centre[0], rows - ideal.ring.centre[1]) <= ideal.ring.outer_px
    yield f"n {ideal.fold} found, {ideal.confidence:.3f} of the structure repeats, {seconds:.2f} s"
    pairs = {"ours - theirs": (ideal.image, theirs), "frame - ours": (frame, ideal.image), "frame - theirs": (frame, theirs)}
    for name, (one, other) in pairs.items():
        off = np.abs(one[part].astype(np.int16) - other[part])
        share = 100 * float(np.mean(off > STRAYS_GREY))
        yield f"{name:15s} median {np.median(off):4.1f}  mean {off.mean():5.2f}  beyond {STRAYS_GREY} grey {share:5.2f} %"


def judged(engine: OnnxRuntimeEngine, bundle: Bundle, ideal: Ideal, of: str, gear: Gear, against: str) -> str:
    """One line: the frame of one gear, the ideal of `of`; against: what is held against the stored ideal."""
    recipe = recipe_of(Pair(of, ideal.image, ideal.image, ()), bundle, "track")
    settings = ideal.settings(pose="free", locate="dark", search=0.1, ideal=against)
    document = recipe.document.model_copy(update={"symmetry": settings})
    pipeline = ViewPipeline(replace(recipe, document=document), engine)
    result = pipeline.judge(gear.image)
    line = f"{of:20s} {gear.name:20s} {against:7s}"
    if result.measurement is None or result.measurement.smoothed is None or result.alignment is None:
        return f"{line} undecided: {result.judgement.reason}"
    to_map = pipeline.reference_to_map @ result.alignment.frame_to_reference
    defect = cv2.warpPerspective(gear.defect, to_map, SIZE_WH, flags=cv2.INTER_NEAREST) > 0
    aside = result.measurement.judged & ~(cv2.dilate(defect.astype(np.uint8), np.ones((ASIDE_PX, ASIDE_PX), np.uint8)) > 0)
    scores = result.measurement.smoothed
    stages = "  ".join(f"{stage} {ms:.0f}" for stage, ms in result.stage_ms.items())
    elsewhere = scores[aside]
    return f"{line} {scores[defect].max():7.1f} {elsewhere.max():10.1f} {np.quantile(elsewhere, 0.999):8.1f}   {stages}"


def main() -> int:
    """Print both parts."""
    if not DATA.is_dir():
        sys.stderr.write(f"{DATA} is not there\n")
        return 1
    sys.stdout.writelines(line + "\n" for line in beside_the_data_sets())
    shown = gears()
    side = PLACE[1]
    where = Where("dark", PLACE, side / 2.2, BORE_PX)
    with tempfile.TemporaryDirectory() as scratch:
        bundle = write_comparison(Path(scratch) / "bundle", SIZE_WH, ComparisonSettings(), "benchmark")
        with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=2)) as engine:
            sys.stdout.write(
                f"\n{'ideal of':20s} {'frame':20s} {'against':7s} {'defect':>7s} {'elsewhere':>10s} {'p99.9':>8s}   ms\n"
            )
            for one in shown:
                ideal = rotational(one.image, where)
                for other in shown:
                    for against in ("frame", "median"):
                        sys.stdout.write(judged(engine, bundle, ideal, one.name, other, against) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
