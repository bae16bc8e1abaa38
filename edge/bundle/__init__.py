"""A bundle: an exported model with its manifest and golden vectors. Immutable, named by content hash, portable.

Reading never trusts: `open_bundle` verifies every file before anything is used. Writing is `write_bundle`, for export.
"""

from edge.bundle.golden import Tensors
from edge.bundle.manifest import (
    Crop,
    Declaration,
    Limits,
    Manifest,
    Masking,
    ResizeRule,
    TensorSpec,
    Tiling,
    Tolerance,
    Training,
    contract,
)
from edge.bundle.reading import Bundle, open_bundle
from edge.bundle.writing import write_bundle

__all__ = [
    "Bundle",
    "Crop",
    "Declaration",
    "Limits",
    "Manifest",
    "Masking",
    "ResizeRule",
    "TensorSpec",
    "Tensors",
    "Tiling",
    "Tolerance",
    "Training",
    "contract",
    "open_bundle",
    "write_bundle",
]
