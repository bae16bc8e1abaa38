"""One network, two typed ONNX files: float32, and float16 where it is safe.

Convolutions and linear layers compute in float16, everything between them in whatever type reaches it, and what must not
(export/nets/islands.py) in float32. The precision is written into the file: strongly typed TensorRT has no other way, and
the older ones then have no choice to get wrong.
"""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import onnx
import torch
from torch import Tensor, nn

from edge.errors import BundleError
from export.cleaning import clean
from export.following import BATCH_NORMS, followed
from export.graph import OPSET, Precision, check
from export.nets.islands import Island

_HALF_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Linear)
_STATISTICS = (*BATCH_NORMS, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.Softmax, nn.LogSoftmax)


def typed_onnx(module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], precision: Precision) -> bytes:
    """The ONNX of a module that takes these tensors by position and returns float32 tensors named by `outputs`.

    inputs: an example of each, of the shape and type that the graph will have for good (uint8 after the graph contract).
    The module is left as it was. The same module gives the same bytes. BundleError: an operator that cannot be exported, a
    result that breaks a rule of `export.graph.check`.
    """
    examples = tuple(inputs.values())
    with torch.no_grad():
        typed = half(module, examples) if precision == "float16" else fold(module, examples)
    buffer = io.BytesIO()
    try:
        with _exporting():
            torch.onnx.export(
                typed,
                examples,
                cast(Any, buffer),
                dynamo=False,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                do_constant_folding=True,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError, TypeError) as error:
        said = " ".join(str(error).split())[:300]
        raise BundleError(f"cannot be written as ONNX ({said})", remedy="this is a fault of the exporter: report it") from None
    model = clean(onnx.load_from_string(buffer.getvalue()))
    data: bytes = model.SerializeToString(deterministic=True)
    check(data)
    return data


def half(module: nn.Module, examples: Sequence[Tensor] = ()) -> nn.Module:
    """A copy for inference: batch normalisations folded, convolutions and linear layers in float16, the rest float32.

    Such a layer casts what it is given, so networks need no casts of their own; one with `keep_float32 = True` is left as
    it is. Statistics (normalisations, softmax layers) run in float32 and hand on the type they were given. examples: the
    module's inputs, by which normalisations that follow a layer are found (see `fold`).
    """
    typed = fold(module, examples)
    for layer in list(typed.modules()):
        if type(layer) in _STATISTICS:
            _replace(typed, layer, Island(layer))
    for layer in typed.modules():
        if isinstance(layer, _HALF_LAYERS) and not getattr(layer, "keep_float32", False):
            layer.half()
            layer.register_forward_pre_hook(_to_half)
        elif isinstance(layer, _HALF_LAYERS):
            layer.register_forward_pre_hook(_to_float)
    return typed


def fold(module: nn.Module, examples: Sequence[Tensor] = ()) -> nn.Module:
    """A copy for inference with every batch normalisation folded that directly follows a convolution or linear layer.

    Which follows which is seen by running the examples, not guessed from names; without examples nothing but neighbours in
    an nn.Sequential is folded. A normalisation that follows something else, or several layers, stays.
    """
    folded = copy.deepcopy(module).eval().requires_grad_(False)
    for layer, norm in followed(folded, examples):
        _absorb(layer, norm)
        _replace(folded, norm, nn.Identity())
    return folded.requires_grad_(False)


def _absorb(layer: Any, norm: Any) -> None:
    """Put the normalisation into the layer's weights, in float64: what is rounded is the result alone."""
    scale = 1 / torch.sqrt(norm.running_var.double() + norm.eps)
    shift = -norm.running_mean.double() * scale
    if norm.weight is not None:
        scale, shift = scale * norm.weight.double(), shift * norm.weight.double() + norm.bias.double()
    outputs = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    shape = [-1 if axis == outputs else 1 for axis in range(layer.weight.ndim)]
    bias = shift if layer.bias is None else layer.bias.double() * scale + shift
    layer.weight = nn.Parameter((layer.weight.double() * scale.view(shape)).float(), requires_grad=False)
    layer.bias = nn.Parameter(bias.float(), requires_grad=False)


def _replace(root: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent in list(root.modules()):
        for name, child in list(parent.named_children()):
            if child is old:
                setattr(parent, name, new)


def _to_half(layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    del layer
    return (given[0].to(torch.float16), *given[1:])


def _to_float(layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    del layer
    return (given[0].float(), *given[1:])


@contextmanager
def _exporting() -> Iterator[None]:
    """Without the exporter's remarks: that it is the older one, and that shapes are taken as constants (they are)."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        yield
