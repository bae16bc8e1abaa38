"""NVIDIA TAO VisualChangeNet's ONNX: segment (a map of change) and classify (one score), two images in.

The first input is the image under test, the second the golden one, in both tasks (TAO's own data loaders).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from edge.bundle import Declaration, Masking, ResizeRule, Training, contract
from edge.errors import BundleError
from edge.settings.judging import ScoreRule
from export.graph import OPSET
from export.onnx_surgery.ends import Feed, Tap, attach
from export.onnx_surgery.preparing import prepared
from export.onnx_surgery.reading import Foreign
from export.onnx_surgery.wires import Wires

FAMILY = "change_onnx"
Task = Literal["segment", "classify"]
# Of TAO's configurations: augmentation mean and std of each task.
NORMALISATION: dict[Task, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "segment": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "classify": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
SEGMENT, CLASSIFY = "output_final", ("input_1", "input_2")


@dataclass(frozen=True)
class Choices:
    """What a person may declare: size of an open input, the task of a renamed file, another normalisation, other order.

    swap: the first input is the golden image. lightings: how many pictures are composed in one frame, for the manifest.
    """

    size_wh: tuple[int, int] | None = None
    task: Task | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    swap: bool = False
    lightings: int = 1


@dataclass(frozen=True)
class Adapted:
    """A contract graph with its declaration, and what a person should know about it."""

    model: bytes
    declaration: Declaration
    remarks: tuple[str, ...]


def task_of(foreign: Foreign) -> Task | None:
    """The task that the names of inputs and outputs speak for."""
    if SEGMENT in foreign.outputs:
        return "segment"
    return "classify" if tuple(foreign.inputs) == CLASSIFY else None


def adapt(foreign: Foreign, choices: Choices, training: Training, created_by: str) -> Adapted:
    """The bundle's graph and declaration from a VisualChangeNet export. BundleError says what does not fit."""
    where = str(foreign.path)
    task = choices.task or task_of(foreign)
    if task is None:
        raise BundleError(
            f"takes {', '.join(foreign.inputs)} and gives {', '.join(foreign.outputs)}: neither of TAO's two tasks",
            where=where,
            remedy="declare --task, or use `lineclear-export onnx`",
        )
    shapes, size_wh, golden = _shapes(foreign, choices, where)
    model = prepared(foreign, shapes)
    mean, std = NORMALISATION[task]
    mean, std = choices.mean or mean, choices.std or std
    roles: tuple[Literal["image", "reference"], ...] = ("reference", "image") if choices.swap else ("image", "reference")
    feeds = [Feed(name, takes=takes, mean=mean, std=std) for name, takes in zip(shapes, roles, strict=True)]
    taps, reading = _taps(model, task, foreign, where)
    graph = attach(model, feeds, taps, size_wh, where)
    parameters: dict[str, str | int | float | bool | None] = {
        "task": task,
        "score": reading,
        "golden_samples": golden,
        "lightings": choices.lightings,
        "mean": ", ".join(f"{value:g}" for value in mean),
        "std": ", ".join(f"{value:g}" for value in std),
        "first_input_is": roles[0],
        "opset_of_the_file": foreign.opset,
        **{f"sha256_of_{name}"[:80]: digest for name, digest in foreign.files.items()},
    }
    declaration = _declared(task, size_wh, training, created_by).model_copy(update={"parameters": parameters})
    repeated = f"it was trained with {golden} golden samples: the recipe's one reference takes the place of each"
    return Adapted(graph, declaration, (*foreign.remarks, repeated) if golden > 1 else foreign.remarks)


def _declared(task: Task, size_wh: tuple[int, int], training: Training, created_by: str) -> Declaration:
    has_map = task == "segment"
    return Declaration(
        family=FAMILY,
        size_wh=size_wh,
        inputs=contract(size_wh, ["image", "reference"]),
        outputs=contract(size_wh, ["anomaly_map" if has_map else "image_score"]),
        value_range=(0.0, 1.0),
        resize=ResizeRule(kernel="cv2_linear"),
        score=ScoreRule(kind="max" if has_map else "graph", window=1),
        masking=Masking(post=has_map, fill="none" if has_map else "reference"),
        opset=OPSET,
        training=training,
        created_at=datetime.now(timezone.utc),
        created_by=created_by,
    )


def _shapes(foreign: Foreign, choices: Choices, where: str) -> tuple[dict[str, tuple[int, ...]], tuple[int, int], int]:
    """The fixed shapes of both inputs, the image size, and how many golden samples it takes."""
    if len(foreign.inputs) != 2:
        raise BundleError(
            f"has {len(foreign.inputs)} inputs; a change network has two",
            where=where,
            remedy="is it the right file? inspect it",
        )
    shapes: dict[str, tuple[int, ...]] = {}
    golden, size_wh = 1, choices.size_wh
    for name, shape in foreign.inputs.items():
        if len(shape) not in (4, 5) or shape[-3] not in (3, None) or shape[0] not in (1, None):
            shown = "x".join("?" if side is None else str(side) for side in shape)
            raise BundleError(
                f"input {name!r} is {shown}, not Nx3xHxW", where=where, remedy="export it with batch size 1 or -1"
            )
        height, width = shape[-2:]
        if height is None or width is None:
            if size_wh is None:
                raise BundleError(f"input {name!r} leaves its size open", where=where, remedy="declare --size")
            width, height = size_wh
        if size_wh not in (None, (width, height)):
            raise BundleError(f"input {name!r} is {width}x{height}", where=where, remedy="both inputs and --size must agree")
        size_wh = (width, height)
        samples = shape[1] if len(shape) == 5 else 1
        if samples is None:
            raise BundleError(
                f"input {name!r} leaves open how many golden samples it takes", where=where, remedy="export it fixed"
            )
        golden = max(golden, samples)
        shapes[name] = (1, samples, 3, height, width) if len(shape) == 5 else (1, 3, height, width)
    return shapes, size_wh or (0, 0), golden


def _taps(model: Any, task: Task, foreign: Foreign, where: str) -> tuple[dict[str, Tap], str]:
    wires, names = Wires(model.graph), list(foreign.outputs)
    if task == "segment":
        name = SEGMENT if SEGMENT in names else names[-1]
        shape = wires.shape(name)
        if shape is None or len(shape) != 4 or shape[1] < 2:
            raise BundleError(
                f"{name!r} is {list(shape or ())}, not Nx(classes)xHxW", where=where, remedy="is it --task classify?"
            )
        return {"anomaly_map": Tap(name, channel=0, activation="softmax_of_others")}, "1 - P(no change)"
    name = "output" if "output" in names else names[-1]
    count = math.prod(wires.shape(name) or ())
    if count == 1:
        return {"image_score": Tap(name)}, "euclidean distance of the embeddings"
    if count != 2:
        raise BundleError(f"{name!r} has {count} values, not 1 or 2", where=where, remedy="is it --task segment?")
    return {"image_score": Tap(name, channel=1, activation="softmax")}, "P(defect)"
