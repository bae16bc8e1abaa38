"""The networks of a DDAD training: its U-Net and the ResNet of its domain adaptation, from their checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge.errors import ConfigError
from export.adapters.building import built, not_this, shapes_of
from export.adapters.ddad_settings import DdadSettings
from export.checkpoint import Checkpoint
from export.nets.ddad import DdadHead, DdadStep
from export.nets.ddad_shape import UNetShape, unet_shape
from export.nets.ddad_unet import DenoisingUNet
from export.nets.resnet import Resnet, resnet_shape

# The comparison needs three stages; what follows is in the file and never computed.
STAGES_USED = 3
UNUSED = ("layer4.*", "fc.*")


@dataclass(frozen=True, eq=False)
class DdadModel:
    """Both graphs with their weights, and what they are. features: the name of the ResNet that compares."""

    step: DdadStep
    head: DdadHead
    shape: UNetShape
    features: str
    sha256: tuple[str, str]


def read_ddad(unet: Checkpoint, features: Checkpoint, settings: DdadSettings) -> DdadModel:
    """The networks of a DDAD checkpoint and its `featN`. BundleError: another family's, or parts are missing; ConfigError:
    settings that do not go with them.
    """
    shape = _with_heads(_unet_shape(unet), settings.heads, str(unet.path))
    if settings.crop is not None and settings.crop > shape.side:
        raise ConfigError(f"{settings.crop} is more than the side {shape.side}", where="crop", remedy="leave it out")
    whole = resnet_shape(shapes_of(features))
    if whole is None or not whole.bottleneck or len(whole.blocks) < STAGES_USED:
        raise not_this("DDAD's feature extractor (wide_resnet101_2, wide_resnet50_2, resnet50)", features)
    used = replace(whole, blocks=whole.blocks[:STAGES_USED], inner=whole.inner[:STAGES_USED], out=whole.out[:STAGES_USED])
    net = built(lambda: DenoisingUNet(shape), unet)
    extractor = built(lambda: Resnet(used), features, unused=UNUSED)
    head = DdadHead(extractor, shape.side, weight=settings.pixel_weight, crop=settings.crop, masks=settings.pre_masking)
    return DdadModel(DdadStep(net).eval(), head.eval(), shape, whole.name, (unet.sha256, features.sha256))


def _unet_shape(checkpoint: Checkpoint) -> UNetShape:
    shape = unet_shape(shapes_of(checkpoint))
    if shape is None:
        raise not_this("DDAD: `down`, `middle`, `up` and `time_embedding` do not make its U-Net", checkpoint)
    return shape


def _with_heads(shape: UNetShape, declared: int | None, where: str) -> UNetShape:
    heads = declared or shape.heads
    if not heads:
        raise ConfigError(
            f"leaves open how many attention heads it has: {shape.base} base channels are not upstream's 64 or 32",
            where=where,
            remedy="write --heads N, as the training's n_heads",
        )
    odd = [width for level, width in enumerate(shape.widths) if level in shape.attention and width % heads]
    if odd or shape.widths[-1] % heads:
        raise ConfigError(
            f"{heads} heads do not divide {(odd or [shape.widths[-1]])[0]} channels",
            where="--heads",
            remedy="as the training's n_heads",
        )
    return replace(shape, heads=heads)
