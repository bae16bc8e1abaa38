"""What old research code needs to run today: no GPU where it asks for one, and a torchvision without its compiled part."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def without_cuda() -> Iterator[None]:
    """`.cuda()` of tensors and modules does nothing while it lasts."""
    kept = torch.Tensor.cuda, nn.Module.cuda

    def stay(self: Any, *_: object, **__: object) -> Any:
        return self

    torch.Tensor.cuda, nn.Module.cuda = stay, stay  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        torch.Tensor.cuda, nn.Module.cuda = kept  # type: ignore[method-assign]


@contextmanager
def fresh_modules() -> Iterator[None]:
    """What is imported while it lasts is forgotten again: two upstreams may both have a `config.py`."""
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            if not name.startswith(("torch", "PIL", "skimage", "numpy", "scipy", "einops")):
                del sys.modules[name]


def torchvision() -> Any:
    """The package, also where its compiled operators do not load (the wheel for CUDA beside a torch without)."""
    try:
        import torchvision as package
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor a, Tensor b, float c) -> Tensor")
        import torchvision as package

        package.library_without_operators = library
    return package


def absent(name: str, **parts: object) -> None:
    """Put a module in the place of one that upstream imports and does not need here."""
    sys.modules.setdefault(name, types.SimpleNamespace(__name__=name, **parts))  # type: ignore[arg-type]
