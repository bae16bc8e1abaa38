"""Why the cubes of dobot_cubes are beyond one ideal image: the score by the cube's colour, and the spread that was learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.sweep_cases import BEHIND_PX, COLOURS, FACE_PX, Case, colour_of
from calibration.evaluate import Evaluation
from calibration.metrics import image_auroc
from calibration.report.markdown import table
from edge.cameras.images import read_image
from edge.masks import rasterise
from export.adapters.registering import GoodFrame
from export.adapters.variation import build

PLANES = ("light", "red minus green", "blue minus yellow")


def scores_by_colour(case: Case, evaluation: Evaluation, code: str) -> str:
    """A line per colour: the scores without and with a sticker, and how well they rank within that colour."""
    row = next(each for each in evaluation.rows if each.configuration.code == code)
    files = {name: path for named in case.test.values() for name, path in named}  # the links of the sweep are gone
    known = [
        (colour_of(files[Path(shot.name).name]), shot.bad, score)
        for shot, score in zip(evaluation.shots, row.scores, strict=True)
        if score is not None
    ]
    lines = []
    for colour in COLOURS:
        mine = [(bad, score) for name, bad, score in known if name == colour]
        auroc = image_auroc([bad for bad, _ in mine], [score for _, score in mine])
        ranges = [_range([score for is_bad, score in mine if is_bad == bad]) for bad in (False, True)]
        lines.append((colour, *ranges, "undefined" if auroc is None else f"{100 * auroc:.1f}"))
    return table(("cube", "scores without sticker", "with sticker", "AUROC image within the colour"), lines)


def spreads(case: Case) -> str:
    """A line per plane: the spread that counts as normal, in grey levels, where the cube's face is and behind it."""
    frames = [GoodFrame(read_image(path), path.name) for path in case.build]
    height, width = frames[0].image.shape[:2]
    judged = ~rasterise(case.masks, (width, height))
    model = build(frames, frames[0].image, size_wh=case.size_wh, register=case.registration, judged=judged).model
    scale = model.size_wh[0] / width
    lines = []
    for name, weight in zip(PLANES, model.weight, strict=True):
        lines.append((name, *(f"{_median_spread(weight, box, scale):.0f}" for box in (FACE_PX, BEHIND_PX))))
    return table(("plane", "on the cube's face", "behind it"), lines)


def _median_spread(weight: NDArray[np.float32], box: tuple[int, int, int, int], scale: float) -> float:
    left, top, right, bottom = (round(side * scale) for side in box)
    return float(np.median(1 / weight[top:bottom, left:right]))


def _range(scores: list[float]) -> str:
    return f"{min(scores):.1f} to {max(scores):.1f} ({len(scores)})" if scores else "none"
