"""DDAD and DDADS: checkpoints of arimousa/DDAD, or of the line-clearance study's fork -> a bundle with a denoising loop."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from torch import nn

from edge.bundle import (
    Betas,
    Bundle,
    Declaration,
    DenoisingLoop,
    GraphName,
    Limits,
    Masking,
    ResizeRule,
    Tolerance,
    Training,
    contract,
)
from edge.engines.programs import CallDone
from edge.errors import ConfigError
from edge.settings.judging import ScoreRule
from export.adapters.ddad_networks import DdadModel
from export.adapters.ddad_settings import DdadSettings
from export.golden import golden_inputs
from export.graph import OPSET
from export.program_bundle import write_program_bundle

SMALL_BASE = 32
# Ten steps add up the rounding of each. The pixels' distance is scaled by two maxima: one odd pixel scales all others.
# Float16: an estimate, from random weights alone (docs/models.md).
LIMITS = Limits(float32=Tolerance(rtol=1e-3, atol=1e-3), float16=Tolerance(rtol=5e-2, atol=5e-2))
LICENCE = """\
The weights come from checkpoints that were given to lineclear-export; their licence is whatever their owner says. DDAD's code
is MIT (arimousa/DDAD); the networks here were written anew from the papers, and no line of it is in this bundle.
"""


def declaration(model: DdadModel, settings: DdadSettings, created_by: str, training: Training) -> Declaration:
    """What the manifest says. ConfigError: a schedule that has no finite steps."""
    side = model.shape.side
    inputs = ["image", "keep"] if settings.pre_masking else ["image"]
    return Declaration(
        family="ddads" if model.shape.base == SMALL_BASE else "ddad",
        program=_loop(settings, side),
        size_wh=(side, side),
        inputs=contract((side, side), inputs),
        outputs=contract((side, side), ["anomaly_map"]),
        value_range=(-1.0, 1.0),
        resize=ResizeRule(kernel="antialiased_bilinear", mode="exact"),
        score=ScoreRule(kind="max", window=1),
        masking=Masking(pre=settings.pre_masking, post=True),
        opset=OPSET,
        limits=LIMITS,
        parameters={
            "base_channels": model.shape.base,
            "heads": model.shape.heads,
            "feature_extractor": model.features,
            "w": settings.weight,
            "v": settings.pixel_weight,
            "skip": settings.skip,
            "scored_middle_px": settings.crop,
            "checkpoint_sha256": model.sha256[0],
            "features_sha256": model.sha256[1],
        },
        training=training,
        created_at=datetime.now(timezone.utc),
        created_by=created_by,
    )


def write_ddad(
    out: Path,
    model: DdadModel,
    declared: Declaration,
    golden: Path | None,
    call_done: CallDone | None = None,
    *,
    float16: bool = True,
) -> Bundle:
    """Write the bundle, both graphs in both precisions. One golden vector: each costs every station start a whole loop."""
    vectors = golden_inputs(declared, golden, count=1)
    modules: dict[GraphName, nn.Module] = {"step": model.step, "model": model.head}
    return write_program_bundle(out, modules, declared, vectors, LICENCE, call_done=call_done, float16=float16)


def _loop(settings: DdadSettings, side: int) -> DenoisingLoop:
    betas = Betas(first=settings.beta_first, last=settings.beta_last, count=settings.steps)
    try:
        return DenoisingLoop.seeded(
            (side, side),
            timesteps=settings.timesteps,
            seed=settings.noise_seed,
            betas=betas,
            start=settings.trajectory,
            weight=settings.weight,
            eta=settings.eta,
        )
    except ValueError as error:
        said = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"is no schedule ({said})", where="--trajectory, --skip, --beta", remedy="as in the training"
        ) from None
