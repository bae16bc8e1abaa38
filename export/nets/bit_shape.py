"""What change-detection network a BIT checkpoint holds, from names and shapes alone: no torch here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from export.nets.resnet_shape import ResnetShape, resnet_shape

Shapes = Mapping[str, Sequence[int]]

# Of every attention. Heads leave no trace in a checkpoint; upstream never has another number.
HEADS = 8
_MOST_LAYERS = 64


@dataclass(frozen=True)
class TokenShape:
    """The transformer. tokens: per picture; encoder, decoder: layers; *_head: channels per head; inner: of the MLP."""

    tokens: int
    encoder: int
    decoder: int
    encoder_head: int
    decoder_head: int
    inner: int


@dataclass(frozen=True)
class BitShape:
    """backbone: its stages in use. width: channels of a pixel's feature. transformer: None for the plain siamese net."""

    backbone: ResnetShape
    width: int
    transformer: TokenShape | None

    @property
    def variant(self) -> str:
        """Upstream's name for it, as its `--net_G` has it; "" for a build that upstream has no name for."""
        if self.transformer is None:
            return "base_resnet18" if self == _plain(self) else ""
        parts = self.transformer
        if parts != TokenShape(4, 1, parts.decoder, 64, parts.decoder_head, 64) or self.width != 32:
            return ""
        names = {(1, 64): "", (8, 64): "_dd8", (8, 8): "_dd8_dedim8"}
        known = names.get((parts.decoder, parts.decoder_head))
        stages = self.backbone == replace(_RESNET18, blocks=(2, 2, 2), inner=(64, 128, 256), out=(64, 128, 256))
        return f"base_transformer_pos_s4{known}" if known is not None and stages else ""


_RESNET18 = ResnetShape(64, (2, 2, 2, 2), (64, 128, 256, 512), (64, 128, 256, 512), bottleneck=False)


def _plain(shape: BitShape) -> BitShape:
    return replace(shape, backbone=_RESNET18, width=32)


def bit_shape(shapes: Shapes) -> BitShape | None:
    """The network that these keys describe, None where they are none of this make."""
    whole = resnet_shape(shapes, "resnet.")
    mixing, classes = tuple(shapes.get("conv_pred.weight", ())), tuple(shapes.get("classifier.3.weight", ()))
    if whole is None or whole.bottleneck or len(mixing) != 4 or classes != (2, mixing[0], 3, 3):
        return None
    # A transformer build leaves the last stage unused in the file: the mixing convolution says where it ends.
    if mixing[1] not in whole.out:
        return None
    used = whole.out.index(mixing[1]) + 1
    backbone = replace(whole, blocks=whole.blocks[:used], inner=whole.inner[:used], out=whole.out[:used])
    if not any(name.startswith("transformer") for name in shapes):
        return BitShape(backbone, mixing[0], None)
    transformer = _token_shape(shapes, mixing[0])
    return None if transformer is None else BitShape(backbone, mixing[0], transformer)


def _token_shape(shapes: Shapes, width: int) -> TokenShape | None:
    def rows(name: str, columns: int) -> int:
        """Rows of a matrix of these columns, 0 where it is another's."""
        shape = tuple(shapes.get(name, ()))
        return int(shape[0]) if len(shape) >= 2 and shape[1] == columns else 0

    encoder, decoder = _layers(shapes, "transformer"), _layers(shapes, "transformer_decoder")
    tokens = rows("conv_a.weight", width)
    encoded = rows("transformer.layers.0.0.fn.fn.to_qkv.weight", width)
    decoded = rows("transformer_decoder.layers.0.0.fn.fn.to_q.weight", width)
    inner = rows("transformer.layers.0.1.fn.fn.net.0.weight", width)
    if 0 in (encoder, decoder, tokens, encoded, decoded, inner) or encoded % (3 * HEADS) or decoded % HEADS:
        return None
    return TokenShape(tokens, encoder, decoder, encoded // (3 * HEADS), decoded // HEADS, inner)


def _layers(shapes: Shapes, part: str) -> int:
    """How many layers; 0 where numbers are missing or there are absurdly many."""
    pattern = re.compile(re.escape(part) + r"\.layers\.(\d{1,3})\.")
    found = {int(match[1]) for match in map(pattern.match, shapes) if match}
    return len(found) if found == set(range(len(found))) and len(found) <= _MOST_LAYERS else 0
