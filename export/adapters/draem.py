"""DRAEM from its two checkpoints: VitjanZ/DRAEM's (.pckl) and those of the line-clearance study (.pth)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, Literal

from edge.bundle import Declaration, Limits, Masking, ResizeRule, Tolerance, Training, contract
from edge.errors import BundleError, ConfigError
from edge.settings.judging import ScoreRule
from export.adapters.building import built
from export.adapters.draem_card import ANOMALIB, ANOMALIB_REASON, ANOMALIB_REMEDY, DISCRIMINATIVE, FAMILY, RECONSTRUCTIVE
from export.checkpoint import Checkpoint, load_checkpoint
from export.graph import OPSET
from export.nets.draem import Discriminative, Draem, Reconstructive

MaskingWay = Literal["pre", "post", "both", "none"]
# Five poolings, and each must come out even for the U-Net's halves to meet.
MULTIPLE: Final = 32
# test_DRAEM.py: max of avg_pool2d(map, 21, stride=1, padding=10), zeros counted.
WINDOW: Final = 21
# The map is a probability. Float16: small trained networks (docs/evaluation.md) moved the worst pixel, on a steep edge, by
# 0.012; a wider one may move it further.
LIMITS: Final = Limits(float32=Tolerance(rtol=1e-4, atol=1e-4), float16=Tolerance(rtol=2e-2, atol=5e-2))
LICENCE: Final = (
    "DRAEM after Zavrtanik, Kristan and Skocaj (ICCV 2021). The network was written by lineclear; the weights come from the\n"
    "checkpoints named in the manifest and keep their owner's licence (VitjanZ/DRAEM: MIT).\n"
)


@dataclass(frozen=True, eq=False)
class DraemModel:
    """The network with its weights, and what the checkpoints said of it."""

    network: Draem
    reconstructive_width: int
    discriminative_width: int
    checkpoint: Checkpoint
    segmentation: Checkpoint


def load_draem(checkpoint: Path, segmentation: Path | None = None) -> DraemModel:
    """Both halves, of any width. segmentation: None looks beside the checkpoint under upstream's name.

    BundleError: a file that cannot be read, the wrong half, anomalib's Draem, tensors missing or of other shapes.
    ConfigError: no second half under upstream's name.
    """
    first = load_checkpoint(checkpoint, strip=("module.", "model."))
    width = _width(first, RECONSTRUCTIVE, "reconstructive", channels=3)
    second = load_checkpoint(segmentation or segmentation_of(checkpoint), strip=("module.", "model."))
    segment_width = _width(second, DISCRIMINATIVE, "discriminative", channels=6)
    reconstructive = built(lambda: Reconstructive(width), first)
    network = Draem(reconstructive, built(lambda: Discriminative(segment_width), second)).eval()
    return DraemModel(network, width, segment_width, first, second)


def segmentation_of(checkpoint: Path) -> Path:
    """Where upstream's training puts the second half; ConfigError if it is not there.

    `NAME.pckl` and `NAME_seg.pckl` (NAME ends in an underscore, so there are two); `*_REC_MODEL_n.pth`, `*_SEG_MODEL_n.pth`.
    """
    name = checkpoint.name
    if "_REC_MODEL_" in name:
        other = checkpoint.with_name(name.replace("_REC_MODEL_", "_SEG_MODEL_"))
    else:
        other = checkpoint.with_name(f"{checkpoint.stem}_seg{checkpoint.suffix}")
    if not other.is_file():
        raise ConfigError(
            f"the second half of DRAEM is not there ({other.name})", where=str(checkpoint), remedy="name it with --segmentation"
        )
    return other


def declaration(
    model: DraemModel, size_wh: tuple[int, int], masking: MaskingWay, training: Training, created_by: str
) -> Declaration:
    """What the manifest says. masking: pre takes `keep` into the graph, post lets the station set the map to 0."""
    pre = masking in ("pre", "both")
    return Declaration(
        family=FAMILY,
        size_wh=size_wh,
        inputs=contract(size_wh, ["image", "keep"] if pre else ["image"]),
        outputs=contract(size_wh, ["anomaly_map"]),
        colour_order="bgr",
        value_range=(0.0, 1.0),
        resize=ResizeRule(kernel="cv2_linear"),
        score=ScoreRule(kind="max_of_mean_filter", window=WINDOW, padding="zero"),
        masking=Masking(pre=pre, post=masking in ("post", "both")),
        opset=OPSET,
        limits=LIMITS,
        parameters={
            "reconstructive_width": model.reconstructive_width,
            "discriminative_width": model.discriminative_width,
            "checkpoint": model.checkpoint.path.name,
            "checkpoint_sha256": model.checkpoint.sha256,
            "segmentation": model.segmentation.path.name,
            "segmentation_sha256": model.segmentation.sha256,
        },
        training=training,
        created_at=datetime.now(timezone.utc),
        created_by=created_by,
    )


def _width(checkpoint: Checkpoint, key: str, half: str, *, channels: int) -> int:
    """The base width, from the first convolution. BundleError: the other half, another model, other channels."""
    where = str(checkpoint.path)
    if any(name.startswith(ANOMALIB) for name in checkpoint.state):
        raise BundleError(f"is not DRAEM as upstream has it: {ANOMALIB_REASON}", where=where, remedy=ANOMALIB_REMEDY)
    if key not in checkpoint.state:
        other = DISCRIMINATIVE if key == RECONSTRUCTIVE else RECONSTRUCTIVE
        if other in checkpoint.state:
            raise BundleError(
                f"is not the {half} half of DRAEM but the other", where=where, remedy="swap --checkpoint and --segmentation"
            )
        raise BundleError(f"is no DRAEM checkpoint: it has no {key}", where=where, remedy="lineclear-export inspect FILE")
    shape = tuple(checkpoint.state[key].shape)
    if len(shape) != 4 or shape[1] != channels:
        raise BundleError(
            f"its first convolution is {list(shape)}; {channels} channels in are expected",
            where=where,
            remedy="colour models only",
        )
    return int(shape[0])
