"""A capsule classifier's checkpoint -> the module of its bundle, and what the manifest says of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone

from edge.bundle import Declaration, Limits, Masking, ResizeRule, Tolerance, Training, contract
from edge.errors import BundleError, ConfigError
from edge.settings.judging import ScoreRule
from edge.settings.registration import ResizeKernel
from export.adapters.building import built, not_this, shapes_of
from export.checkpoint import Checkpoint
from export.nets.capsule import CapsuleNet, CapsuleScore, ScoreKind
from export.nets.capsule_shape import LAYOUTS, CapsuleShape, capsule_shape

FAMILY = "capsule"
MAX_CELLS = 16
# Float16: an estimate, from random weights alone (docs/models.md).
LIMITS = Limits(float32=Tolerance(rtol=1e-4, atol=1e-4), float16=Tolerance(rtol=2e-2, atol=2e-2))
LICENCE = (
    "Weights of a capsule classifier (Sabour, Frosst and Hinton, 2017); they belong to whoever trained them.\n"
    "The network in this bundle was written by lineclear from the papers and the checkpoint's keys.\n"
)


@dataclass(frozen=True)
class CapsuleSettings:
    """good: index of the class that is no defect. score: see `CapsuleScore`. side: of the square image, 0: as the decoder
    tells. routings: iterations, not in the checkpoint. occlusion: cells along a side of the map, 0 for no map.
    """

    good: int
    score: ScoreKind = "difference"
    side: int = 0
    routings: int = 3
    occlusion: int = 0
    kernel: ResizeKernel = "antialiased_bilinear"


def module_of(checkpoint: Checkpoint, settings: CapsuleSettings) -> CapsuleScore:
    """The network with its weights. BundleError: a file of another family. ConfigError: settings that do not fit it."""
    shape = capsule_shape(shapes_of(checkpoint))
    if shape is None:
        raise not_this("a capsule classifier of a known layout", checkpoint)
    shape = _with_side(shape, settings.side, checkpoint)
    if not 0 <= settings.good < shape.classes or shape.classes < 2:
        raise ConfigError(
            f"class {settings.good} is not among 0 to {shape.classes - 1}",
            where="--good",
            remedy="write the number that good images had in the training",
        )
    if settings.score == "reconstruction" and not shape.decoder:
        raise ConfigError("the checkpoint has no decoder", where="--score", remedy="write difference, ratio or probability")
    if not 0 <= settings.occlusion <= min(MAX_CELLS, shape.side // 2):
        most = min(MAX_CELLS, shape.side // 2)
        raise ConfigError(f"{settings.occlusion} cells are not possible", where="--occlusion", remedy=f"write 0 to {most}")
    if not 1 <= settings.routings <= 10:
        raise ConfigError(f"{settings.routings} is not possible", where="--routings", remedy="write 1 to 10; usual is 3")
    network = built(lambda: CapsuleNet(shape, settings.routings), checkpoint)
    return CapsuleScore(network, settings.good, settings.score, settings.occlusion).eval()


def declaration_of(module: CapsuleScore, settings: CapsuleSettings, training: Training, created_by: str) -> Declaration:
    """What the manifest says of the model."""
    shape = module.network.shape
    size_wh = (shape.side, shape.side)
    names = ["anomaly_map", "image_score"] if settings.occlusion else ["image_score"]
    return Declaration(
        family=FAMILY,
        size_wh=size_wh,
        inputs=contract(size_wh, ["image"]),
        outputs=contract(size_wh, names),
        colour_order="grey" if shape.channels == 1 else "rgb",
        value_range=(0.0, 1.0),
        resize=ResizeRule(kernel=settings.kernel),
        score=ScoreRule(kind="graph", window=1),
        masking=Masking(post=bool(settings.occlusion), fill="reference"),
        limits=LIMITS,
        parameters={
            "layout": LAYOUTS[shape.layout],
            "classes": shape.classes,
            "good_class": settings.good,
            "routings": settings.routings,
            "score": settings.score,
            "occlusion_cells": settings.occlusion,
            "network_passes": settings.occlusion**2 + 1,
        },
        training=training,
        created_at=datetime.now(timezone.utc),
        created_by=created_by,
    )


def _with_side(shape: CapsuleShape, declared: int, checkpoint: Checkpoint) -> CapsuleShape:
    decodes = not shape.decoder or (shape.side and shape.decoder[0] == shape.classes * shape.capsule)
    if shape.channels not in (1, 3) or not shape.positions or not decodes:
        raise BundleError(
            f"its layers do not fit each other ({shape.channels} channels, {shape.lower} primary capsules of {shape.dim})",
            where=str(checkpoint.path),
            remedy="the convolutions must be unpadded, with strides 1 and 2, as published",
        )
    side = declared or shape.side
    if shape.side and side != shape.side:
        raise ConfigError(
            f"{declared} is not what the decoder makes", where="--size", remedy=f"leave it out, or write {shape.side}"
        )
    if side not in shape.sides:
        allowed = " or ".join(map(str, shape.sides))
        if declared or shape.side:
            raise ConfigError(f"{side} does not fit the checkpoint", where="--size", remedy=f"write {allowed}")
        raise ConfigError("the checkpoint does not say the image's side", where="--size", remedy=f"write {allowed}")
    return replace(shape, side=side)
