"""The views and parts that `benchmarks.sweep` sweeps: which frames build the model, which set thresholds, which are judged.

Every split is by file name and fixed here; masks are declared here from the scene and the training frames alone. A case is
laid out as links in MVTec's layout, so that it is read as any labelled folder is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks import leftovers
from edge.cameras.images import read_image
from edge.settings.judging import MaskPolygon
from edge.settings.registration import Gates, RegistrationSettings

DATA = leftovers.DATA
MODEL_FRAMES = 15
PIPED = ("PA_BDP01_TL", "PA_BRG01_RL", "PA_FVN01_TL", "PA_GLA01_TL")
TRACK = RegistrationSettings()
LOOSE = RegistrationSettings(mode="none", gates=Gates(min_similarity=-1))
"""For things without a pose: nothing is registered, and frames that look nothing like the reference are taken too."""
COLOURS = {"yellow": 29.0, "green": 50.0, "red": 2.0, "blue": 105.0}
"""Hues of the cubes of dobot_cubes, 0 to 180 as OpenCV counts them."""
FACE_PX, BEHIND_PX = (260, 200, 390, 330), (520, 320, 630, 440)
"""Of dobot_cubes, left top right bottom: what the cube's face always fills, and a part of the background."""
Named = list[tuple[str, Path]]


@dataclass(frozen=True)
class Case:
    """One view. build: frames for the model. good: for the thresholds. test: kind -> (name, file). truth: kind -> masks.

    registration: of the recipe and of the model's building; where its mode is none, the sweep's R columns use `track`.
    size_wh: of the model, None for the default (half the frame). black_is_bad: the mask files mark the good. why: what a
    reader must know of the split.
    """

    name: str
    build: tuple[Path, ...]
    good: tuple[Path, ...]
    test: dict[str, Named]
    truth: dict[str, Named] = field(default_factory=dict)
    masks: tuple[MaskPolygon, ...] = ()
    registration: RegistrationSettings = TRACK
    size_wh: tuple[int, int] | None = None
    black_is_bad: bool = False
    why: str = ""

    def lay_out(self, folder: Path) -> tuple[Path, Path]:
        """(labelled folder, folder of good frames), as links under `folder`."""
        labelled, good = folder / "labelled", folder / "good"
        for kind, named in self.test.items():
            _link(labelled / "test" / kind, named)
        for kind, named in self.truth.items():
            (_invert if self.black_is_bad else _link)(labelled / "ground_truth" / kind, named)
        _link(good, [(path.name, path) for path in self.good])
        return labelled, good


GROOVES = (
    ("groove above", ((0.0, 0.0), (0.36, 0.0), (0.18, 0.10), (0.0, 0.30))),
    ("groove below", ((0.40, 1.0), (0.70, 0.86), (1.0, 0.68), (1.0, 1.0))),
)
"""Of the composed views: the grooves at the upper left and the lower right, where grease gathers and wanders."""
WHOLE_GROOVES = (
    ("groove above", ((0.0, 0.0), (0.40, 0.0), (0.23, 0.16), (0.0, 0.38))),
    ("groove below", ((0.38, 1.0), (0.67, 0.81), (1.0, 0.63), (1.0, 1.0))),
)
"""The same in the whole frames of `bsdata`, of which the composed views are the middle."""
ARM = (("gripper and arm", ((0.42, 0.0), (1.0, 0.0), (1.0, 0.20), (0.72, 0.20), (0.72, 0.31), (0.45, 0.31))),)
"""Of dobot_cubes: the gripper with its cable and rod, which moves with the arm."""


def leftover_cases(views: Sequence[str] | None = None) -> Iterator[Case]:
    """The composed line-clearance views; still and nudged frames in one set, as the study had."""
    for view in views or leftovers.view_names():
        folder = leftovers.compose(view)
        train = _files(folder / "train/good")
        test: dict[str, Named] = {"good": [], "leftover": []}
        truth: dict[str, Named] = {"leftover": []}
        for camera, ending in (("still", ""), ("nudged", "_nudged")):
            for kind in test:
                test[kind] += [(f"{camera}-{path.name}", path) for path in _files(folder / "test" / (kind + ending))]
            masks = _files(folder / "ground_truth" / f"leftover{ending}")
            truth["leftover"] += [(f"{camera}-{path.name}", path) for path in masks]
        yield Case(view, train[:MODEL_FRAMES], train[MODEL_FRAMES:], test, truth, _polygons(GROOVES))


def pitting_cases(views: Sequence[str] | None = None) -> Iterator[Case]:
    """Bsdata as it is. Soiling grows with time: good and bad frames differ in age too, so read the pixel figures first."""
    for view in views or leftovers.view_names():
        folder = DATA / "bsdata" / view
        train = _files(folder / "train/good")
        test, truth = _mvtec(folder, "pitting")
        yield Case(view, train[:MODEL_FRAMES], train[MODEL_FRAMES:], test, truth, _polygons(WHOLE_GROOVES))


def hazelnut_cases(_: Sequence[str] | None = None) -> Iterator[Case]:
    """Nuts that lie as they fell: no pose to register to, no place to mask. A view that this product is not for."""
    folder = DATA / "hazelnut_toy"
    train = _files(folder / "train/good")
    size = read_image(train[0]).shape
    build = tuple(path for path in train[:20] if read_image(path).shape == size)
    test, truth = _mvtec(folder, "colour")
    yield Case("hazelnut_toy", build, train[20:], test, truth, registration=LOOSE, why="nuts lie as they fell")


def dobot_cases(_: Sequence[str] | None = None) -> Iterator[Case]:
    """Cubes of changing colour in a robot's gripper, in turns: half build the model, a quarter sets thresholds."""
    normal = _files(DATA / "dobot_cubes/normal")
    build = tuple(path for index, path in enumerate(normal) if index % 4 < 2)
    test = {
        "good": [(path.name, path) for path in normal[3::4]],
        "sticker": [(path.name, path) for path in _files(DATA / "dobot_cubes/abnormal")],
    }
    yield Case("dobot_cubes", build, normal[2::4], test, masks=_polygons(ARM), why="no masks of the stickers exist")


def cube_cases(names: Sequence[str] | None = None) -> Iterator[Case]:
    """The same cubes, each colour as a product of its own, in turns: a third builds the model, a third sets thresholds."""
    (whole,) = dobot_cases()
    normal = sorted((*whole.build, *whole.good, *(path for _, path in whole.test["good"])))
    for name in names or tuple(COLOURS):
        mine = [path for path in normal if colour_of(path) == name]
        sticker = [each for each in whole.test["sticker"] if colour_of(each[1]) == name]
        test = {"good": [(path.name, path) for path in mine[2::3]], "sticker": sticker}
        yield replace(whole, name=name, build=tuple(mine[0::3]), good=tuple(mine[1::3]), test=test)


def colour_of(path: Path) -> str:
    """The colour of the cube in a frame of dobot_cubes, by the median hue of its face."""
    left, top, right, bottom = FACE_PX
    hue, _, _ = np.median(cv2.cvtColor(read_image(path)[top:bottom, left:right], cv2.COLOR_RGB2HSV), axis=(0, 1))
    return min(COLOURS, key=lambda name: min(abs(hue - COLOURS[name]), 180 - abs(hue - COLOURS[name])))


def piped_cases(names: Sequence[str] | None = None) -> Iterator[Case]:
    """Paper with specks of a few pixels, each piece another: no pose, no place to mask. The model at full size, 128x128."""
    for name in names or PIPED:
        folder = DATA / "piped" / name
        good = _files(folder / "NoDefects")
        truth_folder = next(path for path in (folder / "Defects").iterdir() if path.is_dir())
        test = {
            "good": [(path.name, path) for path in good[36:]],
            "speck": [(path.name, path) for path in _files(folder / "Defects")],
        }
        truth = {"speck": [(path.name, path) for path in _files(truth_folder)]}
        why = "loose paper; PIPED's mask files are black where the speck is, and are turned round here"
        yield Case(
            name, good[:24], good[24:36], test, truth, registration=LOOSE, size_wh=(128, 128), black_is_bad=True, why=why
        )


def _mvtec(folder: Path, kind: str) -> tuple[dict[str, Named], dict[str, Named]]:
    test = {each: [(path.name, path) for path in _files(folder / "test" / each)] for each in ("good", kind)}
    truth = {kind: [(path.name, path) for path in _files(folder / "ground_truth" / kind)]}
    return {each: named for each, named in test.items() if named}, {each: named for each, named in truth.items() if named}


def _polygons(shapes: Sequence[tuple[str, tuple[tuple[float, float], ...]]]) -> tuple[MaskPolygon, ...]:
    return tuple(MaskPolygon(name=name, points=points) for name, points in shapes)


def _invert(folder: Path, named: Sequence[tuple[str, Path]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in named:
        cv2.imwrite(str(folder / f"{Path(name).stem}.png"), ~np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8))


def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.iterdir() if path.is_file())) if folder.is_dir() else ()


def _link(folder: Path, named: Sequence[tuple[str, Path]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in named:
        (folder / name).symlink_to(path)
