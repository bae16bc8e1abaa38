"""PIADE's checkpoint and VGG-11's first layers -> the module of its bundle, and what the manifest says of it."""

from __future__ import annotations

from datetime import datetime, timezone

from edge.bundle import Crop, Declaration, Limits, Masking, ResizeRule, Tolerance, Training, contract
from edge.errors import BundleError
from edge.settings.judging import ScoreRule
from export.adapters.building import built, not_this, shapes_of
from export.checkpoint import Checkpoint
from export.nets.piade import Perception, Piade, Pyramid
from export.nets.piade_shape import CAPSULE, FEATURE_SIDE, SIDE, piade_shape

FAMILY = "piade"
# Upstream resizes to 156 and keeps the middle 120.
RESIZED = 156
# Float16: an estimate, from random weights alone (docs/models.md).
LIMITS = Limits(float32=Tolerance(rtol=1e-4, atol=1e-4), float16=Tolerance(rtol=2e-2, atol=1e-2))
LICENCE = (
    "Weights trained with PIADE (Mishra, Piciarelli and Foresti, 2020; code under MIT); they belong to whoever trained them.\n"
    "The first layers of VGG-11 in it come from the file that was given as --vgg, under that file's own terms.\n"
    "The network in this bundle was written by lineclear from the paper and the checkpoint's keys.\n"
)


def module_of(checkpoint: Checkpoint, vgg: Checkpoint) -> Piade:
    """The network with its weights. BundleError: files of another family, or of a network that was changed."""
    shape = piade_shape(shapes_of(checkpoint))
    if shape is None:
        raise not_this("PIADE", checkpoint)
    carried = (shape.resnet.out[-1] * FEATURE_SIDE**2 + shape.hidden[-1]) / 64
    if shape.decoder[0] != carried or sum(shape.pools) % CAPSULE or shape.hidden[-1] % FEATURE_SIDE**2:
        raise BundleError(
            f"has a decoder for {shape.decoder[0]} channels, its encoder gives {carried:g}",
            where=str(checkpoint.path),
            remedy="a network that was changed must be exported to ONNX by its owner: lineclear-export onnx",
        )
    network = built(lambda: Pyramid(shape), checkpoint, unused=("resnet.fc.*",))
    layers = shapes_of(vgg)
    first, second = (layers.get(f"features.{index}.weight", ()) for index in (0, 3))
    if len(first) != 4 or len(second) != 4:
        raise not_this("VGG-11 (features.0, features.3)", vgg)
    perception = built(lambda: Perception(first[0], second[0]), vgg, unused=("features.*", "classifier.*"))
    return Piade(network, perception).eval()


def declaration_of(module: Piade, crop: bool, training: Training, created_by: str) -> Declaration:
    """What the manifest says of the model. crop: the middle 120 of 156 pixels, as in the training; else the whole view."""
    shape, size_wh = module.network.shape, (SIDE, SIDE)
    rim = (RESIZED - SIDE) / 2 / RESIZED
    return Declaration(
        family=FAMILY,
        size_wh=size_wh,
        inputs=contract(size_wh, ["image"]),
        outputs=contract(size_wh, ["image_score"]),
        value_range=(0.0, 1.0),
        crop=Crop(left=rim, top=rim, right=1 - rim, bottom=1 - rim) if crop else None,
        resize=ResizeRule(kernel="antialiased_bilinear"),
        score=ScoreRule(kind="graph"),
        masking=Masking(post=False, fill="reference"),
        limits=LIMITS,
        parameters={"encoder": shape.resnet.name, "capsules": shape.lower, "score": "mse - ssim + perceptual"},
        training=training,
        created_at=datetime.now(timezone.utc),
        created_by=created_by,
    )
