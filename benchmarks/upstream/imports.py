"""Importing research code years after it was written: its modules, its requirements, and what of them is gone since.

Only what upstream imports is stood in for, never what it computes.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

_KEPT: list[object] = []


def upstream_modules(folder: Path, names: Sequence[str], packages: Path | None = None) -> list[types.ModuleType]:
    """Modules of a folder, their requirements from `packages` (pip install --no-deps --target). They stay importable: upstream
    imports within functions. ModuleNotFoundError says what is missing.
    """
    for path in (packages, folder):
        if path is not None:
            sys.path.insert(0, str(path))
    _without_compiled_torchvision()
    return [importlib.import_module(name) for name in names]


def stand_in(name: str, **attributes: object) -> None:
    """A module that a newer release has removed, with what upstream imports from it."""
    module = types.ModuleType(name)
    for key, value in attributes.items():
        setattr(module, key, value)
    sys.modules[name] = module


def refuse_download(*_: object, **__: object) -> None:
    """In the place of upstream's loaders of ImageNet weights."""
    raise RuntimeError("this comparison downloads nothing")


def without_pretraining(function: Callable[..., Any]) -> Callable[..., Any]:
    """torchvision-style `_resnet(arch, block, layers, pretrained, progress, ...)`, whatever the caller asks for."""

    def make(arch: str, block: object, layers: object, _pretrained: bool, progress: bool, **options: object) -> Any:
        return function(arch, block, layers, False, progress, **options)

    return make


def _without_compiled_torchvision() -> None:
    """Torchvision's Python half alone: its wheel's compiled half wants CUDA's torch, and no comparison needs it."""
    if _KEPT:
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    _KEPT.append(library)
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
