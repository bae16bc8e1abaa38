"""From one network to a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from edge.bundle import Bundle, Declaration, Tensors
from edge.types import ImageU8
from export.program_bundle import write_program_bundle


def write_module_bundle(
    out: Path,
    module: nn.Module,
    declaration: Declaration,
    golden: Sequence[Tensors],
    licence: str,
    *,
    reference: ImageU8 | None = None,
    float16: bool = True,
) -> Bundle:
    """Write the bundle of a network that follows the graph contract, in both precisions (float16 False: in float32 alone).

    As `write_program_bundle`, of which this is the plain case: one graph, called once for the whole image.
    """
    return write_program_bundle(out, {"model": module}, declaration, golden, licence, reference=reference, float16=float16)
