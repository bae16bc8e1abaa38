"""BIT change detection: a checkpoint of justchenhao/BIT_CD or of the gear project that trains with it -> a bundle.

The frame is what upstream calls B, the picture after; the reference is A, the picture before.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from pydantic import Field

from edge.bundle import Bundle, Crop, Declaration, Limits, ResizeRule, Tiling, Tolerance, Training, contract
from edge.engines.programs import CallDone
from edge.schema import Closed
from edge.settings.judging import ScoreRule
from export.adapters.bit_network import BitModel
from export.golden import golden_inputs
from export.graph import OPSET
from export.nets.bit_shape import HEADS
from export.program_bundle import write_program_bundle

FAMILY = "bit"
# A probability: a pixel near one half moves more than others. Float16: a small trained network's by 1e-3 at most
# (docs/evaluation.md), those with a transformer and random weights by 9e-3 (docs/models.md).
LIMITS = Limits(float32=Tolerance(rtol=1e-4, atol=1e-4), float16=Tolerance(rtol=0.0, atol=3e-2))
LICENCE = """\
The weights come from a checkpoint that was given to lineclear-export; its licence is whatever its owner says.
BIT_CD's README says of its code, with which such checkpoints are trained: "for non-commercial and research purposes only".
Clear that before production. The network here was written anew from the paper (Chen, Qi, Shi, IEEE TGRS 2021); no line of
BIT_CD is in this bundle.
"""


class BitSettings(Closed):
    """What no checkpoint says. size_wh: of the whole picture. tiling: how it is cut. window: of the score's mean filter,
    odd, model pixels. grey: trained without colour. crop: the part of the reference that the model sees.
    """

    size_wh: tuple[int, int]
    tiling: Tiling | None = None
    window: int = Field(17, ge=1, le=501)
    grey: bool = False
    crop: Crop | None = None


def declaration(model: BitModel, settings: BitSettings, created_by: str, training: Training) -> Declaration:
    """What the manifest says."""
    parts = model.shape.transformer
    epoch = model.checkpoint.extra.get("epoch_id")
    return Declaration(
        family=FAMILY,
        size_wh=settings.size_wh,
        inputs=contract(settings.size_wh, ["image", "reference"]),
        outputs=contract(settings.size_wh, ["anomaly_map"]),
        colour_order="grey" if settings.grey else "rgb",
        value_range=(-1.0, 1.0),
        crop=settings.crop,
        resize=ResizeRule(kernel="antialiased_bicubic", mode="exact"),
        score=ScoreRule(kind="max_of_mean_filter", window=settings.window, padding="zero"),
        tiling=settings.tiling,
        opset=OPSET,
        limits=LIMITS,
        parameters={
            "variant": model.shape.variant or "unnamed",
            "tokens": None if parts is None else parts.tokens,
            "encoder_layers": None if parts is None else parts.encoder,
            "decoder_layers": None if parts is None else parts.decoder,
            "decoder_head": None if parts is None else parts.decoder_head,
            "heads": None if parts is None else HEADS,
            "epoch": epoch if isinstance(epoch, int) else None,
            "checkpoint_sha256": model.checkpoint.sha256,
        },
        training=training,
        created_at=datetime.now(timezone.utc),
        created_by=created_by,
    )


def write_bit(
    out: Path,
    model: BitModel,
    declared: Declaration,
    golden: Path | None,
    call_done: CallDone | None = None,
    *,
    float16: bool = True,
) -> Bundle:
    """Write the bundle, both precisions. golden: a folder of real images. Raises BundleError, ConfigError, FrameError."""
    vectors = golden_inputs(declared, golden)
    return write_program_bundle(out, {"model": model.module}, declared, vectors, LICENCE, call_done=call_done, float16=float16)
