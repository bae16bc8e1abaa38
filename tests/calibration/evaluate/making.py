"""Labelled frames of the synthetic scene, and results that never saw an engine."""

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np

from calibration.evaluate.choosing import best_method, best_row
from calibration.evaluate.configurations import EIGHT, STATION, Configuration
from calibration.evaluate.figures import tally_of
from calibration.evaluate.levels import Level
from calibration.evaluate.results import Curves, Evaluation, Figure, MethodRow, Mistake, Row, Shot
from calibration.metrics import Curve, Interval
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.recipe import Content, load_recipe, save
from edge.settings.engines import OnnxRuntimeSettings
from edge.settings.judging import MaskPolygon
from tests.calibration.scene import SIZE_WH, part, write

BELT = MaskPolygon(name="belt", points=((0.0, 0.0), (0.3, 0.0), (0.3, 0.35), (0.0, 0.35)))
LEFTOVER_AT = ((330, 200), (240, 250), (400, 90), (250, 120), (60, 50))


def engine_of(bundle):
    return OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=1))


def frame(number: int, *, leftover=None, shift=(0.0, 0.0), belt=False):
    """(RGB frame, truth): light, noise, a camera moved by `shift`, a thing on the belt that the masks cover."""
    random = np.random.default_rng(5000 + number)
    image, truth = part().astype(np.float32), np.zeros(SIZE_WH[::-1], np.uint8)
    if belt:
        cv2.rectangle(image, (30, 30), (70, 70), (250, 250, 20), cv2.FILLED)
    if leftover:
        cv2.circle(image, leftover, 18, (230, 60, 40), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(truth, leftover, 18, 1, cv2.FILLED)
    image = image * random.uniform(0.97, 1.03) + random.normal(0, 2.5, image.shape)
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], float)
    image = cv2.warpAffine(image.astype(np.float32), move, SIZE_WH, borderMode=cv2.BORDER_REPLICATE)
    truth = cv2.warpAffine(truth, move, SIZE_WH, flags=cv2.INTER_NEAREST)
    return np.clip(np.round(image), 0, 255).astype(np.uint8), truth.astype(bool)


def write_labelled(folder: Path) -> Path:
    """MVTec's layout: 6 good frames (2 with something on the belt, 2 of a moved camera), 5 with leftovers (2 moved,
    the last one under the mask)."""
    for number in range(6):
        shift = (9.0, -6.0) if number in (2, 3) else (0.0, 0.0)
        image, _ = frame(number, shift=shift, belt=number in (4, 5))
        write(folder / "test" / "good" / f"{number:02d}.png", image)
    for number, place in enumerate(LEFTOVER_AT):
        image, truth = frame(100 + number, leftover=place, shift=(-8.0, 7.0) if number % 2 else (0.0, 0.0))
        write(folder / "test" / "leftover" / f"{number:02d}.png", image)
        path = folder / "ground_truth" / "leftover" / f"{number:02d}_mask.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), truth.astype(np.uint8) * 255)
    return folder


def with_masks(path: Path, masks=(BELT,)):
    """A new version of the recipe with these masks, loaded."""
    recipe = load_recipe(path)
    save(path, Content(recipe.document, recipe.bundle, recipe.reference, tuple(masks)))
    return load_recipe(path)


SHOTS = (
    Shot("good/a.png", "/data/good/a.png", False, "good"),
    Shot("good/b.png", "/data/good/b.png", False, "good"),
    Shot("bad/c.png", "/data/bad/c.png", True, "leftover"),
    Shot("bad/d.png", "/data/bad/d.png", True, "leftover"),
)

LEVELS = (Level("max", "max", 2.5, 2.0), Level("conformal", "conformal 1 %", refused="too few frames"))


def row(
    configuration: Configuration = STATION,
    scores=(1.0, 2.0, 5.0, 1.5),
    *,
    levels=LEVELS,
    auroc: float | None = 0.75,
    iou: float | None = 0.5,
    measured_as: Configuration | None = None,
) -> Row:
    """A configuration's row from scores and levels."""
    bad = [shot.bad for shot in SHOTS]
    methods = tuple(
        MethodRow(each) if each.image is None else MethodRow(each, tally_of(bad, scores, each.image), iou) for each in levels
    )
    chosen = best_method(methods)
    tally = None if chosen is None else methods[chosen].tally
    line = Curve(np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.8, 1.0]), np.array([np.inf, 1.0, -np.inf]), 3)
    drawn = None if auroc is None else line
    return Row(
        configuration=configuration,
        measured_as=measured_as or configuration,
        image_auroc=Figure(auroc, Interval(0.5, 1.0, 0.95, 100) if auroc is not None else None),
        image_ap=auroc,
        pixel_auroc=Figure(auroc),
        pro=Figure(auroc),
        ap=Figure(auroc),
        best_iou=iou,
        methods=methods,
        chosen=chosen,
        accuracy=Figure(tally.accuracy if tally else None),
        scores=tuple(scores),
        refusals=tuple("not registered" if score is None else "" for score in scores),
        good_scores=(0.8, 1.1, 2.5),
        good_refused=(("blurred.png", "similarity 0.1 < 0.5"),),
        curves=Curves(drawn, drawn, drawn, drawn, drawn),
    )


def evaluation(rows=None, **changes) -> Evaluation:
    """An evaluation of SHOTS."""
    rows = tuple(rows or (row(each, measured_as=each.measured_as(True)) for each in EIGHT))
    made = Evaluation(
        title="variation-000000000001",
        view="front",
        recipe="/recipes/front",
        version=3,
        bundle="variation-000000000001",
        family="variation",
        engine="onnxruntime-1 cpu float32",
        source="/data/labelled",
        good_source="/data/good-frames",
        made_at=datetime(2026, 11, 22, 8, 0, tzinfo=timezone.utc),
        reduction=2,
        frame_size_wh=(480, 320),
        map_size_wh=(240, 160),
        shots=SHOTS,
        rows=rows,
        best=best_row(rows),
        mistakes=(mistake(),),
        notes=("Thresholds come from 8 good frames.",),
    )
    return replace(made, **changes)


def mistake(**changes) -> Mistake:
    panels = tuple((caption, b"\xff\xd8\xff" + caption.encode()) for caption in ("input", "reference", "map"))
    return replace(Mistake(SHOTS[3], "miss", 1.5, 2.5, "", panels), **changes)
