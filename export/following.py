"""Which batch normalisation follows which layer, seen from one run rather than guessed from names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

FOLDABLE = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_MARK = "_lineclear_made_by"
# Asking a tensor for its shape is no use of its values.
_LOOKS = frozenset({"__get__", "size", "dim", "numel", "is_floating_point", "is_complex", "__len__"})


def followed(module: nn.Module, examples: Sequence[Tensor]) -> list[tuple[nn.Module, nn.Module]]:
    """(layer, normalisation) for each normalisation that is the only reader of one layer's output. Without examples:
    neighbours within an nn.Sequential.
    """
    pairs = _seen(module, examples) if examples else list(_neighbours(module))
    return [(layer, norm) for layer, norm in pairs if _fits(layer, norm)]


def _fits(layer: nn.Module, norm: nn.Module) -> bool:
    has_statistics = getattr(norm, "running_mean", None) is not None
    # Each group of a transposed convolution numbers its outputs anew.
    return has_statistics and not (isinstance(layer, nn.ConvTranspose2d) and layer.groups > 1)


def _neighbours(module: nn.Module) -> Iterator[tuple[nn.Module, nn.Module]]:
    for parent in module.modules():
        if isinstance(parent, nn.Sequential):
            children = list(parent)
            for layer, norm in pairwise(children):
                if isinstance(layer, FOLDABLE) and isinstance(norm, BATCH_NORMS):
                    yield layer, norm


def _seen(module: nn.Module, examples: Sequence[Tensor]) -> list[tuple[nn.Module, nn.Module]]:
    watch = _Watch()
    hooks = []
    for each in module.modules():
        if isinstance(each, FOLDABLE):
            hooks.append(each.register_forward_hook(_mark))
        elif isinstance(each, BATCH_NORMS):
            hooks.append(each.register_forward_pre_hook(watch.reads))
    try:
        with torch.no_grad(), watch:
            module(*examples)
    finally:
        for hook in hooks:
            hook.remove()
    return watch.pairs()


def _mark(layer: nn.Module, given: object, made: Tensor) -> None:
    del given
    setattr(made, _MARK, layer)


class _Watch(TorchFunctionMode):
    """Sees every use of a marked tensor; one that is no batch normalisation disqualifies the layer that made it."""

    def __init__(self) -> None:
        super().__init__()
        self._norms: dict[nn.Module, set[nn.Module]] = {}
        self._layers: dict[nn.Module, set[nn.Module | None]] = {}
        self._used: set[nn.Module] = set()

    def reads(self, norm: nn.Module, given: tuple[Tensor, ...]) -> None:
        """Hook before a normalisation."""
        layer = getattr(given[0], _MARK, None)
        self._layers.setdefault(norm, set()).add(layer)
        if layer is not None:
            self._norms.setdefault(layer, set()).add(norm)

    def pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """One layer, one normalisation, and nobody else."""
        found = []
        for norm, layers in self._layers.items():
            layer = next(iter(layers))
            if len(layers) == 1 and layer is not None and layer not in self._used and len(self._norms[layer]) == 1:
                found.append((layer, norm))
        return found

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Note the use, then do it."""
        del types
        named = kwargs or {}
        if func is not functional.batch_norm and getattr(func, "__name__", "") not in _LOOKS:
            for value in (*args, *named.values()):
                for part in value if isinstance(value, (tuple, list)) else (value,):
                    layer = getattr(part, _MARK, None) if isinstance(part, Tensor) else None
                    if layer is not None:
                        self._used.add(layer)
        return func(*args, **named)
