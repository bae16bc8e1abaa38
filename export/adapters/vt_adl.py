"""VT-ADL's two checkpoints -> the module of its bundle, and what the manifest says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from edge.bundle import Crop, Declaration, Limits, Masking, ResizeRule, Tolerance, Training, contract
from edge.errors import BundleError, ConfigError
from edge.settings.judging import ScoreRule
from export.adapters.building import built, not_this, shapes_of
from export.checkpoint import Checkpoint
from export.nets.vt_adl import MixtureDensity, VtAdl, VtAe
from export.nets.vt_adl_shape import CELLS, DECODER_SIDE, DEFAULT_HEADS, mixture_shape, vt_adl_shape

FAMILY = "vt_adl"
# Upstream resizes to 550 and keeps the middle 512.
RESIZED = 550
# Scores are sums over hundreds of values, thousands: the half encoder moves them by some ten-thousandths of that. Float16:
# an estimate, from random weights alone (docs/models.md).
LIMITS = Limits(float32=Tolerance(rtol=1e-4, atol=1e-3), float16=Tolerance(rtol=5e-3, atol=5e-2))
LICENCE = (
    "Weights trained with VT-ADL (Mishra et al., ISIE 2021; code under MIT); they belong to whoever trained them.\n"
    "The network in this bundle was written by lineclear from the paper and the checkpoint's keys.\n"
)


@dataclass(frozen=True)
class VtAdlSettings:
    """heads: of the encoder, not in the checkpoint. score: `trained` is mse - ssim + max of the patches, `upstream` has the
    sign of upstream's test (mse + ssim + max). crop: the middle 512 of 550, as in the training; else the whole view.
    """

    heads: int = DEFAULT_HEADS
    score: Literal["trained", "upstream"] = "trained"
    crop: bool = True


def module_of(checkpoint: Checkpoint, density: Checkpoint, settings: VtAdlSettings) -> VtAdl:
    """The network with its weights. BundleError: files of another family, or that do not belong to each other."""
    shape = vt_adl_shape(shapes_of(checkpoint))
    if shape is None:
        swapped = mixture_shape(shapes_of(checkpoint)) is not None
        raise not_this("VT-ADL's VT_AE" + (": it is its G_estimate, give that as --density" if swapped else ""), checkpoint)
    mixture = mixture_shape(shapes_of(density))
    if mixture is None:
        raise not_this("VT-ADL's G_estimate (pi, mu, sigma_sq)", density)
    if mixture[0] != shape.dim:
        raise BundleError(
            f"is for vectors of {mixture[0]} values, the encoder gives {shape.dim}",
            where=str(density.path),
            remedy="give the VT_AE and the G_estimate of one training",
        )
    channels = shape.channels
    if shape.side != DECODER_SIDE or shape.capsule != CELLS * channels[0] or channels[-1] != 3 or shape.dim % CELLS:
        raise BundleError(
            f"is for {shape.side}x{shape.side} pixels, {channels[-1]} channels and a capsule of {shape.capsule}; VT-ADL's "
            f"decoder makes {DECODER_SIDE}x{DECODER_SIDE}, 3 channels, from a capsule of {CELLS * channels[0]}",
            where=str(checkpoint.path),
            remedy="a network that was changed must be exported to ONNX by its owner: lineclear-export onnx",
        )
    if settings.heads < 1 or shape.dim % settings.heads:
        raise ConfigError(
            f"{settings.heads} heads do not divide {shape.dim}", where="--heads", remedy=f"upstream has {DEFAULT_HEADS}"
        )
    network = built(lambda: VtAe(shape, settings.heads), checkpoint)
    mixed = built(lambda: MixtureDensity(*mixture), density)
    return VtAdl(network, mixed, ssim_sign=1.0 if settings.score == "upstream" else -1.0).eval()


def declaration_of(module: VtAdl, settings: VtAdlSettings, training: Training, created_by: str) -> Declaration:
    """What the manifest says of the model."""
    shape = module.encoder.shape
    size_wh = (shape.side, shape.side)
    rim = (RESIZED - shape.side) / 2 / RESIZED
    return Declaration(
        family=FAMILY,
        size_wh=size_wh,
        inputs=contract(size_wh, ["image"]),
        outputs=contract(size_wh, ["anomaly_map", "image_score"]),
        value_range=(0.0, 1.0),
        crop=Crop(left=rim, top=rim, right=1 - rim, bottom=1 - rim) if settings.crop else None,
        resize=ResizeRule(kernel="antialiased_bilinear"),
        score=ScoreRule(kind="graph", window=1),
        masking=Masking(fill="reference"),
        limits=LIMITS,
        parameters={
            "patch": shape.patch,
            "dim": shape.dim,
            "depth": shape.depth,
            "heads": settings.heads,
            "components": module.density.pi.out_features,
            "score": "mse + ssim + max" if settings.score == "upstream" else "mse - ssim + max",
        },
        training=training,
        created_at=datetime.now(timezone.utc),
        created_by=created_by,
    )
