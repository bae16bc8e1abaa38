"""Checkpoints as upstream's trainings write them: read without running code, and put into a network strictly."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import torch
from torch import nn

from edge.errors import BundleError
from export.container import Container, open_container
from export.outline import first, state_of, stripped
from export.unpickling import StoredTensor

# Counts of batches seen in training: no network computes with them.
_NEVER_USED = ("*.num_batches_tracked", "num_batches_tracked")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The tensors of a checkpoint by name, on the CPU, in the types that the file has.

    extra: what else lay beside them (epoch, options), as plain Python. sha256: of the file.
    """

    path: Path
    state: Mapping[str, torch.Tensor]
    extra: Mapping[str, object] = field(default_factory=dict)
    sha256: str = ""


def load_checkpoint(
    path: Path, *, inner: str | None = None, allow: Sequence[object] = (), strip: Sequence[str] = ("module.",)
) -> Checkpoint:
    """The state dict at `path`, in torch's zip format or the one before 1.6.

    inner: the key of the state dict where it lies within a dict. allow: globals that the family's files need beyond
    tensors, as objects or as (object, "module.name") pairs. strip: prefixes to remove where every tensor has them
    (DataParallel, Lightning). BundleError: no such file, truncated, no checkpoint, needs more globals (refused, named),
    no tensors, no such inner key.
    """
    container = open_container(path, _by_name(allow))
    tensors, extra = state_of(container, inner)
    read: dict[str, bytearray] = {}
    state = {name: _tensor(container, tensor, read) for name, tensor in stripped(tensors, strip).items()}
    return Checkpoint(path, MappingProxyType(state), MappingProxyType(extra), container.sha256)


def fill(module: nn.Module, checkpoint: Checkpoint, *, unused: Sequence[str] = ()) -> None:
    """Load every tensor into the module's place of the same name and shape, and put the module into inference.

    unused: patterns (fnmatch) of tensors of the file that may be left over ("resnet.fc.*"); counts of batches always may.
    BundleError: tensors that are missing, unexpected or of another shape (the first three of each), or not finite.
    """
    given = {name: tensor for name, tensor in checkpoint.state.items() if not _matches(name, _NEVER_USED)}
    wanted = {name: tensor for name, tensor in module.state_dict().items() if not _matches(name, _NEVER_USED)}
    missing = [name for name in wanted if name not in given]
    unexpected = [name for name in given if name not in wanted and not _matches(name, unused)]
    wrong = [
        f"{name} {list(given[name].shape)} instead of {list(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and given[name].shape != tensor.shape
    ]
    problems = [
        f"{len(names)} tensors {what}: {first(names)}"
        for names, what in ((missing, "are missing"), (unexpected, "are unknown"), (wrong, "have another shape"))
        if names
    ]
    where = str(checkpoint.path)
    if problems:
        raise BundleError(
            "does not fit this family: " + "; ".join(problems),
            where=where,
            remedy="look what it is: lineclear-export inspect FILE",
        )
    spoilt = [name for name in wanted if given[name].is_floating_point() and not torch.isfinite(given[name]).all()]
    if spoilt:
        raise BundleError(
            f"holds values that are no numbers (NaN, infinite) in {first(spoilt)}",
            where=where,
            remedy="its training failed: take an earlier one",
        )
    module.load_state_dict({name: given[name] for name in wanted}, strict=False)
    module.eval().requires_grad_(False)


def _by_name(allow: Iterable[object]) -> dict[str, object]:
    named: dict[str, object] = {}
    for entry in allow:
        if isinstance(entry, tuple):
            named[str(entry[1])] = entry[0]
        else:
            named[f"{getattr(entry, '__module__', '')}.{getattr(entry, '__qualname__', '')}"] = entry
    return named


def _tensor(container: Container, stored: StoredTensor, read: dict[str, bytearray]) -> torch.Tensor:
    storage = stored.storage
    if storage.key not in read:
        read[storage.key] = container.read(storage)
    dtype: torch.dtype = getattr(torch, storage.dtype)
    if not storage.elements:
        return torch.empty(stored.shape, dtype=dtype)
    return torch.frombuffer(read[storage.key], dtype=dtype).as_strided(stored.shape, stored.stride, stored.offset)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
