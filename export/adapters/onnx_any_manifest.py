"""The manifest with which any ONNX file becomes a bundle: what a person writes, and the template for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import Self

from edge.schema import Closed
from edge.settings.judging import ScoreRule
from edge.settings.registration import ResizeKernel
from export.onnx_surgery.reading import Foreign

Name = Annotated[str, Field(min_length=1, max_length=200)]
Three = Annotated[tuple[FiniteFloat, ...], Field(min_length=1, max_length=3)]
Side = Annotated[int, Field(ge=8, le=4096)]


class InputEntry(Closed):
    """One input of the ONNX file, and what of the contract it takes.

    The network gets (pixel / scale - mean) / std per channel. keep takes 0 and 1 and needs none of that.
    """

    name: Name
    takes: Literal["image", "reference", "keep"]
    layout: Literal["nchw", "nhwc"] = "nchw"
    colour: Literal["rgb", "bgr", "grey"] | None = None
    scale: Annotated[FiniteFloat, Field(gt=0)] | None = None
    mean: Three | None = None
    std: Three | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.takes == "keep":
            return self
        for key in ("colour", "scale", "mean", "std"):
            if getattr(self, key) is None:
                raise ValueError(f"{key}: missing: write what the training used")
        channels = 1 if self.colour == "grey" else 3
        for key, values in (("mean", self.mean), ("std", self.std)):
            if len(values or ()) != channels:
                raise ValueError(f"{key}: has {len(values or ())} numbers: write {channels}, in the order of colour")
        if min(self.std or (1.0,)) <= 0:
            raise ValueError("std: must be above 0")
        return self


class OutputEntry(Closed):
    """One output of the ONNX file, and what of the contract it gives.

    channel: which one, where it has several. higher: whether a higher value is worse, or better.
    """

    name: Name
    gives: Literal["anomaly_map", "image_score"]
    layout: Literal["nchw", "nhwc"] = "nchw"
    channel: int | None = Field(None, ge=0, le=100_000)
    activation: Literal["none", "sigmoid", "softmax", "softmax_of_others"]
    higher: Literal["worse", "better"]


class OnnxManifest(Closed):
    """`lineclear-export onnx --manifest FILE`."""

    schema_version: Literal[1] = Field(alias="schema")
    size_wh: tuple[Side, Side]
    resize: ResizeKernel
    score: ScoreRule
    inputs: tuple[InputEntry, ...] = Field(max_length=8)
    outputs: tuple[OutputEntry, ...] = Field(max_length=8)
    masked: Literal["map", "reference", "nothing"] = "map"
    licence: str = Field(min_length=3, max_length=2000)

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        both: dict[str, list[str]] = {
            "inputs": [each.name for each in self.inputs],
            "outputs": [each.gives for each in self.outputs],
        }
        for key, names in both.items():
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise ValueError(f"{key}: {repeated[0]!r} stands there twice")
        taken, given = {each.takes for each in self.inputs}, {each.gives for each in self.outputs}
        if "image" not in taken:
            raise ValueError("inputs: none takes image: one must")
        if not given:
            raise ValueError("outputs: none is named: write one that gives anomaly_map or image_score")
        if self.licence.strip() == "TODO":
            raise ValueError("licence: missing: write whose weights these are and what they may be used for")
        if "anomaly_map" not in given and self.score.kind != "graph":
            raise ValueError(f"score.kind: {self.score.kind} needs an output that gives anomaly_map: write graph")
        if "image_score" not in given and self.score.kind == "graph":
            raise ValueError("score.kind: graph needs an output that gives image_score")
        if "anomaly_map" not in given and self.masked == "map":
            raise ValueError("masked: map needs an output that gives anomaly_map: write reference, or nothing")
        return self


def template(foreign: Foreign) -> str:
    """A manifest for this file: what it tells is filled in, what only the training knows is left to the person (TODO)."""
    sides = [shape[-2:] for shape in foreign.inputs.values() if len(shape) == 4 and None not in shape[-2:] and shape[-1] != 3]
    size = f"[{sides[0][1]}, {sides[0][0]}]" if sides else "TODO"
    lines = [
        f"# Manifest of {foreign.path.name}. Replace every TODO with what the training used; a wrong value gives wrong scores.",
        "schema: 1",
        f"size_wh: {size}  # width, height of the network's input in pixels",
        "resize: TODO  # the training's: cv2_linear, cv2_area, antialiased_bilinear (Pillow, torchvision), antialiased_bicubic",
        "score:",
        "  kind: TODO  # max (of the map), max_of_mean_filter (with window: 21), graph (the file's own image score)",
        "  window: 1",
        "masked: map  # masks act on the map; reference: masked areas are shown the reference's pixels; nothing: no masks",
        "licence: TODO  # of the weights",
        "inputs:",
        *_inputs(foreign),
        "outputs:  # keep one that gives anomaly_map, or one that gives image_score, or both",
        *_outputs(foreign),
    ]
    return "\n".join(lines) + "\n"


def _inputs(foreign: Foreign) -> list[str]:
    lines = []
    for place, (name, shape) in enumerate(foreign.inputs.items()):
        layout = "nhwc" if shape[-1:] == (3,) else "nchw"
        lines += [
            f"- name: {_quoted(name)}  # {_shown(shape)}",
            f"  takes: {'image' if place == 0 else 'TODO'}  # image, reference, keep",
            f"  layout: {layout}",
            "  colour: TODO  # rgb, bgr, grey",
            "  scale: TODO  # pixel values are divided by it: 255 for 0..1, 1 for 0..255, 127.5 with mean 1 for -1..1",
            "  mean: TODO  # after scale, per channel: [0.485, 0.456, 0.406] for ImageNet, [0, 0, 0] for none",
            "  std: TODO  # [0.229, 0.224, 0.225] for ImageNet, [1, 1, 1] for none",
        ]
    return lines


def _outputs(foreign: Foreign) -> list[str]:
    lines = []
    for name in foreign.measures:
        shape = foreign.outputs[name]
        lines += [
            f"- name: {_quoted(name)}  # {_shown(shape)}",
            "  gives: TODO  # anomaly_map, image_score; delete the entry if it is neither",
            "  activation: TODO  # none, sigmoid, softmax (of channel), softmax_of_others (1 - softmax of channel)",
            "  higher: TODO  # worse, better",
            "  # channel: 1",
        ]
    return lines


def _quoted(name: str) -> str:
    plain = "".join(letter if letter.isprintable() else "?" for letter in name)
    return "'" + plain.replace("'", "''") + "'"


def _shown(shape: Sequence[int | None]) -> str:
    return "x".join("?" if side is None else str(side) for side in shape) or "scalar"
