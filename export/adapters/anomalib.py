"""anomalib's ONNX exports, 0.3 to 2.7: every layout of outputs, its raw scores where they can be reached.

The station keeps thresholds outside the graph and recalibrates them on site, so what anomalib bakes in (threshold,
range, clamp to 0..1) is bypassed, and kept in the manifest as what upstream would have decided by.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from edge.bundle import Crop, Declaration, Masking, ResizeRule, Training, contract
from edge.errors import BundleError
from edge.settings.judging import ScoreRule
from edge.settings.registration import ResizeKernel
from export.adapters.anomalib_graph import Normalisation, front_of, is_clamped, is_maximum, normalisation_of, without_resize
from export.adapters.anomalib_metadata import IMAGENET, Metadata, read_metadata
from export.graph import OPSET
from export.onnx_surgery.ends import Feed, Tap, attach
from export.onnx_surgery.preparing import prepared
from export.onnx_surgery.reading import Foreign
from export.onnx_surgery.wires import FLOATS, Wires

FAMILY = "anomalib"
BATCH = (
    "export it for one image: model.to_onnx(root, input_size=(H, W), dynamic_axes={}); anomalib 2.7 otherwise fixes PatchCore "
    "to its example of two"
)
Scale = Literal["auto", "graph", "max"]


@dataclass(frozen=True)
class Choices:
    """What a person may declare where the file does not say it.

    size_wh: of an input that is left open. normalise: whether the network wants ImageNet's mean and spread, where neither
    graph nor metadata.json tells. keep_resize: leave the graph's own resize in. score: take the graph's image score, or the
    map's maximum.
    """

    size_wh: tuple[int, int] | None = None
    normalise: Literal["imagenet", "none"] | None = None
    resize: ResizeKernel | None = None
    keep_resize: bool = False
    score: Scale = "auto"


@dataclass(frozen=True)
class Adapted:
    """A contract graph with its declaration, and what a person should know about it."""

    model: bytes
    declaration: Declaration
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class _Outputs:
    scores: str | None
    score: str | None


def adapt(foreign: Foreign, choices: Choices, training: Training, created_by: str) -> Adapted:
    """The bundle's graph and declaration from an anomalib export. BundleError says what is missing or cannot be used."""
    where = str(foreign.path)
    metadata = read_metadata(foreign.path)
    name, shape = _input_of(foreign, choices, metadata)
    model = prepared(foreign, {name: shape})
    front = front_of(model, name)
    remarks = list(foreign.remarks)
    if (front.resized_wh or front.crop) and not choices.keep_resize:
        model = without_resize(model, name, where)
        remarks.append(
            f"its own resize from {_shown(front.input_wh)} is left out: the station gives it {_shown(front.inner_wh)}, "
            "antialiased as in the training"
        )
        size_wh, crop = front.inner_wh, front.crop
    else:
        size_wh, crop = front.input_wh, None
    feed, kernel, layout = _pixels(foreign, choices, metadata, name, front.normalises)
    wires = Wires(model.graph)
    outputs = _outputs_of(model, wires, where)
    found = {key: normalisation_of(tensor, wires) for key, tensor in _pairs(outputs)}
    clamped = sorted(key for key, tensor in _pairs(outputs) if found[key] is None and is_clamped(tensor, wires))
    taps = {key: Tap(_raw(found[key], tensor)) for key, tensor in _pairs(outputs)}
    rule = _score_rule(taps, wires, choices.score, remarks)
    if rule.kind == "max":
        taps.pop("image_score", None)
    if clamped:
        remarks.append(
            "its scores are clamped to 0..1 in the graph and the raw ones cannot be reached: recalibration works only within; "
            "export with post_processor=False for the raw ones"
        )
    graph = attach(model, [feed], taps, size_wh, where)
    declaration = _declared(size_wh, crop, kernel, rule, list(taps), training, created_by).model_copy(
        update={"parameters": _parameters(foreign, layout, found, metadata, clamped, front.normalises)}
    )
    return Adapted(graph, declaration, tuple(remarks))


def _pairs(outputs: _Outputs) -> list[tuple[str, str]]:
    both = (("anomaly_map", outputs.scores), ("image_score", outputs.score))
    return [(key, tensor) for key, tensor in both if tensor is not None]


def _raw(found: Normalisation | None, tensor: str) -> str:
    return tensor if found is None else found.raw


def _input_of(foreign: Foreign, choices: Choices, metadata: Metadata) -> tuple[str, tuple[int, ...]]:
    """The image input and the shape that it is fixed to."""
    where = str(foreign.path)
    if len(foreign.inputs) != 1:
        raise BundleError(
            f"has the inputs {', '.join(foreign.inputs)}; anomalib's has one",
            where=where,
            remedy="lineclear-export inspect tells what it is",
        )
    name, shape = next(iter(foreign.inputs.items()))
    if len(shape) != 4 or shape[1] not in (3, None):
        shown = "x".join("?" if side is None else str(side) for side in shape)
        raise BundleError(f"input {name!r} is {shown}, not Nx3xHxW", where=where, remedy="is it anomalib's? use `onnx`")
    if shape[0] not in (1, None):
        raise BundleError(f"is fixed to a batch of {shape[0]} images", where=where, remedy=BATCH)
    size_wh = choices.size_wh or metadata.size_wh or (256, 256)
    height, width = shape[2] or size_wh[1], shape[3] or size_wh[0]
    if choices.size_wh is not None and (width, height) != choices.size_wh:
        raise BundleError(f"is fixed to {_shown((width, height))}", where=where, remedy="leave --size out")
    if None in shape[2:] and choices.size_wh is None and metadata.size_wh is None and not _resizes(foreign):
        raise BundleError(
            "leaves its input size open and resizes nothing itself",
            where=where,
            remedy="declare the size of the training: --size",
        )
    return name, (1, 3, height, width)


def _resizes(foreign: Foreign) -> bool:
    """Whether a Resize stands before the first convolution."""
    for node in foreign.model.graph.node:
        if node.op_type in ("Resize", "Upsample"):
            return True
        if node.op_type == "Conv":
            return False
    return False


def _pixels(
    foreign: Foreign, choices: Choices, metadata: Metadata, name: str, normalises: bool
) -> tuple[Feed, ResizeKernel, str]:
    """How the input is made, with which kernel, and which layout of outputs that speaks for."""
    modern = "anomaly_map" in foreign.outputs or "pred_score" in foreign.outputs
    layout = "2" if modern else "0" if metadata.has_transform else "1"
    kernel: ResizeKernel = choices.resize or ("cv2_linear" if metadata.has_transform else "antialiased_bilinear")
    mean_std = metadata.mean_std
    if choices.normalise is not None:
        mean_std = IMAGENET if choices.normalise == "imagenet" else None
    elif not normalises and not modern and mean_std is None and not metadata.has_transform:
        raise BundleError(
            "does not normalise its input, and no metadata.json beside it says how",
            where=str(foreign.path),
            remedy="copy metadata.json beside it, or declare --normalise imagenet (most models) or none (EfficientAD, DRAEM)",
        )
    if normalises and choices.normalise == "imagenet":
        raise BundleError("normalises its input itself", where=str(foreign.path), remedy="leave --normalise out")
    if normalises or mean_std is None:
        return Feed(name), kernel, layout
    return Feed(name, mean=mean_std[0], std=mean_std[1]), kernel, layout


def _outputs_of(model: Any, wires: Wires, where: str) -> _Outputs:
    """Which output is the map, which the score: by name from 2.0 on, before that by shape."""
    floats = [each.name for each in model.graph.output if each.type.tensor_type.elem_type in FLOATS]
    maps = [name for name in floats if name != "pred_mask" and _is_map(wires.shape(name))]
    scores = [name for name in floats if name not in ("pred_label", "pred_mask") and _count(wires.shape(name)) == 1]
    chosen = _Outputs(
        "anomaly_map" if "anomaly_map" in maps else next(iter(maps), None),
        "pred_score" if "pred_score" in scores else next(iter(scores), None),
    )
    if chosen.scores is None and chosen.score is None:
        raise BundleError(
            f"gives neither a map nor a score: {', '.join(f'{name} {list(wires.shape(name) or ())}' for name in floats)}",
            where=where,
            remedy="is it anomalib's? `lineclear-export onnx` takes any file with a manifest",
        )
    return chosen


def _is_map(shape: tuple[int, ...] | None) -> bool:
    return shape is not None and len(shape) in (3, 4) and min(shape[-2:]) > 1 and all(side == 1 for side in shape[:-2])


def _count(shape: tuple[int, ...] | None) -> int:
    count = 0 if shape is None else 1
    for side in shape or ():
        count *= side
    return count


def _score_rule(taps: dict[str, Tap], wires: Wires, wanted: Scale, remarks: list[str]) -> ScoreRule:
    if "anomaly_map" not in taps:
        return ScoreRule(kind="graph", window=1)
    if "image_score" not in taps or wanted == "max":
        return ScoreRule(kind="max", window=1)
    if wanted == "auto" and is_maximum(taps["image_score"].tensor, taps["anomaly_map"].tensor, wires):
        return ScoreRule(kind="max", window=1)
    remarks.append("its image score is its own, not the map's maximum: masks do not change it (--score max takes the map's)")
    return ScoreRule(kind="graph", window=1)


def _declared(
    size_wh: tuple[int, int],
    crop: Crop | None,
    kernel: ResizeKernel,
    rule: ScoreRule,
    outputs: list[str],
    training: Training,
    created_by: str,
) -> Declaration:
    names = [name for name in ("anomaly_map", "image_score") if name in outputs]
    has_map = "anomaly_map" in names
    return Declaration(
        family=FAMILY,
        size_wh=size_wh,
        inputs=contract(size_wh, ["image"]),
        outputs=contract(size_wh, names),
        colour_order="rgb",
        value_range=(0.0, 1.0),
        crop=crop,
        resize=ResizeRule(kernel=kernel),
        score=rule,
        masking=Masking(post=has_map),
        opset=OPSET,
        training=training,
        created_at=datetime.now(timezone.utc),
        created_by=created_by,
    )


def _parameters(
    foreign: Foreign,
    layout: str,
    found: dict[str, Normalisation | None],
    metadata: Metadata,
    clamped: list[str],
    normalises: bool,
) -> dict[str, str | int | float | bool | None]:
    """What the manifest keeps of what anomalib knew."""
    reached = [key for key, each in found.items() if each is not None]
    facts: dict[str, str | int | float | bool | None] = {
        "anomalib_layout": f"{layout}.x",
        "opset_of_the_file": foreign.opset,
        "scores": "clamped to 0..1" if clamped else "raw",
        "normalises_itself": normalises,
    }
    facts |= {f"sha256_of_{name}"[:80]: digest for name, digest in foreign.files.items()}
    for key in reached:
        each, kind = found[key], "image" if key == "image_score" else "pixel"
        if each is not None:
            facts |= {f"upstream_{kind}_threshold": each.threshold, f"upstream_{kind}_span": each.span}
    return {**metadata.facts, **facts}


def _shown(size_wh: tuple[int, int]) -> str:
    return f"{size_wh[0]}x{size_wh[1]}"
