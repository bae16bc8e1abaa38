"""The network of a BIT training, from its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from export.adapters.building import built, not_this, shapes_of
from export.checkpoint import Checkpoint, load_checkpoint
from export.nets.bit import Bit
from export.nets.bit_shape import BitShape, bit_shape
from export.nets.change import ChangeMap
from export.numpy_words import NUMPY_NUMBER

INNER = "model_G_state_dict"
# Whole stages that a transformer build never computes, and the ImageNet classifier.
UNUSED = ("resnet.layer4.*", "resnet.fc.*")


@dataclass(frozen=True, eq=False)
class BitModel:
    """The network with its weights, and what it is."""

    module: ChangeMap
    shape: BitShape
    checkpoint: Checkpoint


def read_bit(path: Path, *, grey: bool = False) -> BitModel:
    """The network of a best_ckpt.pt or last_ckpt.pt. BundleError: it is no BIT, or a part is missing."""
    checkpoint = load_checkpoint(path, inner=INNER, allow=NUMPY_NUMBER)
    shape = bit_shape(shapes_of(checkpoint))
    if shape is None:
        raise not_this("BIT: `resnet`, `conv_pred`, `classifier` and the transformers do not go together", checkpoint)
    net = built(lambda: Bit(shape), checkpoint, unused=UNUSED)
    return BitModel(ChangeMap(net, grey=grey).eval(), shape, checkpoint)
