"""What a fitted Mahalanobis module is, and what its bundle says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import numpy as np
from torch import nn

from edge.bundle import Declaration, Limits, Masking, ResizeRule, Tensors, Tolerance, Training, contract
from edge.settings.judging import ScoreRule
from edge.settings.registration import ResizeKernel
from export.adapters.good_frames import Prepared
from export.adapters.mahalanobis_keys import Layout
from export.golden import golden_inputs

FAMILY = "mahalanobis"
Scalar = str | int | float | bool | None
# Whitening magnifies what half convolutions round, most where the distance is small. Float16: a small trained network
# (docs/evaluation.md) moved frames that built the model by 0.7 % (0.04 of 5.6), others by 0.3 %, a map by 0.02 near 1.
LIMITS = Limits(float32=Tolerance(rtol=1e-3, atol=1e-3), float16=Tolerance(rtol=2e-2, atol=5e-2))


@dataclass(frozen=True, eq=False)
class Fitted:
    """The module with all that its bundle says. parameters: for the manifest."""

    module: nn.Module
    level: Literal["image", "patch"]
    size_wh: tuple[int, int]
    kernel: ResizeKernel
    parameters: dict[str, Scalar]
    training: Training

    def declaration(self, created_by: str, network: Training | None = None) -> Declaration:
        """What the manifest says of the model. network: the images that the network itself was trained on."""
        has_map = self.level == "patch"
        return Declaration(
            family=FAMILY,
            size_wh=self.size_wh,
            inputs=contract(self.size_wh, ["image"]),
            outputs=contract(self.size_wh, ["anomaly_map" if has_map else "image_score"]),
            resize=ResizeRule(kernel=self.kernel),
            score=ScoreRule(kind="max", window=1) if has_map else ScoreRule(kind="graph"),
            masking=Masking() if has_map else Masking(post=False, fill="reference"),
            limits=LIMITS,
            parameters=self.parameters,
            training=_both(self.training, network or Training()),
            created_at=datetime.now(timezone.utc),
            created_by=created_by,
        )


def golden(declaration: Declaration, prepared: Prepared | None, images: Path | None = None) -> list[Tensors]:
    """Golden inputs: those of the folder `images`, else two of the good images and one with patches on it, which scores high;
    without either made-up ones.
    """
    if images is not None or prepared is None:
        return golden_inputs(declaration, images)
    first, last = prepared.images[0], prepared.images[-1]
    height, width = last.shape[:2]
    spoilt = last.copy()
    for place, colour in enumerate(((0, 0, 0), (255, 255, 255), (0, 90, 220))):
        x, y = (2 * place + 1) * width // 6, height // 2
        spoilt[y - height // 10 : y + height // 10, x - width // 20 : x + width // 20 + 1] = colour
    return [{"image": np.ascontiguousarray(image)[None]} for image in (first, last, spoilt)]


def licence_of(layout: Layout) -> str:
    """The bundle's note on where the weights come from."""
    notes = {
        "runinho": "The network was trained with Runinho/pytorch-cutpaste, whose code has no licence; it is not in here.\n",
        "lilityolyan": "The network was trained with LilitYolyan/CutPaste (MIT).\n",
        "resnet": "The network comes from a state dict that names no origin: see to it that its licence allows this use.\n",
    }
    blocks = "A block of its kind was published for non-commercial use (SSPCAB, CC BY-NC-SA).\n" if layout.blocks else ""
    return (
        f"{notes[layout.origin]}{blocks}"
        "Weights that began as ImageNet's carry that set's terms. The distances were fitted to images of the station's own\n"
        "camera; what was learnt from them belongs to whoever owns the images.\n"
    )


def training_of(prepared: Prepared | None) -> Training:
    """The images that the density was fitted to; None: nobody knows which."""
    if prepared is None:
        return Training()
    return Training(images=len(prepared.used), sha256=prepared.sha256)


def _both(fitted: Training, network: Training) -> Training:
    """Everything that must never make a threshold; without hashes of the one, the other's still count."""
    if not network.images:
        return fitted
    hashes = sorted({*fitted.sha256, *network.sha256})
    return Training(images=len(hashes), sha256=tuple(hashes)) if hashes else fitted
