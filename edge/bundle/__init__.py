"""A bundle: an exported model with its manifest and golden vectors. Immutable, named by content hash, portable.

Reading never trusts: `open_bundle` verifies every file before anything is used. Writing is `write_bundle`, for export.
"""

from edge.bundle.golden import Tensors
from edge.bundle.graphs import GraphName, GraphSpec, GraphTensor, graph_size_wh, graphs
from edge.bundle.manifest import (
    Crop,
    Declaration,
    Limits,
    Manifest,
    Masking,
    ResizeRule,
    TensorSpec,
    Tolerance,
    Training,
    contract,
)
from edge.bundle.programs import Betas, DenoisingLoop, Noise, Step
from edge.bundle.reading import Bundle, open_bundle
from edge.bundle.tiling import Tiling
from edge.bundle.writing import write_bundle

__all__ = [
    "Betas",
    "Bundle",
    "Crop",
    "Declaration",
    "DenoisingLoop",
    "GraphName",
    "GraphSpec",
    "GraphTensor",
    "Limits",
    "Manifest",
    "Masking",
    "Noise",
    "ResizeRule",
    "Step",
    "TensorSpec",
    "Tensors",
    "Tiling",
    "Tolerance",
    "Training",
    "contract",
    "graph_size_wh",
    "graphs",
    "open_bundle",
    "write_bundle",
]
