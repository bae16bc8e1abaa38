"""What a checkpoint holds, without its numbers and without torch: names, shapes, types."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import BundleError
from export.container import Container, open_container
from export.numpy_words import NUMPY_NUMBER
from export.unpickling import StoredTensor

MAX_TENSORS = 20_000
_SHOWN = 3


@dataclass(frozen=True)
class Outline:
    """A checkpoint without its numbers: what `inspect` looks at.

    shapes, dtypes: of its tensors by name. inner: the key under which they lie, None at the top. others: further keys
    that hold tensors. elements: how many numbers in all.
    """

    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    inner: str | None
    others: tuple[str, ...]
    elements: int
    sha256: str


def outline(path: Path) -> Outline:
    """What tensors a checkpoint holds, without reading them; prefixes "module." and "model." removed. Raises as loading."""
    # A number of numpy's beside the weights is no reason not to say what they are; what they mean is the family's to allow.
    container = open_container(path, {name: word for word, name in NUMPY_NUMBER})
    content = container.content
    inner = None
    others: tuple[str, ...] = ()
    if isinstance(content, dict) and not any(isinstance(value, StoredTensor) for value in content.values()):
        nested = _inner_keys(content)
        inner, others = (nested[0], tuple(nested[1:])) if nested else (None, ())
    tensors, _ = state_of(container, inner)
    plain = stripped(tensors, ("module.", "model."))
    return Outline(
        shapes={name: tensor.shape for name, tensor in plain.items()},
        dtypes={name: tensor.storage.dtype for name, tensor in plain.items()},
        inner=inner,
        others=others,
        elements=sum(math.prod(tensor.shape) for tensor in plain.values()),
        sha256=container.sha256,
    )


def state_of(container: Container, inner: str | None) -> tuple[dict[str, StoredTensor], dict[str, object]]:
    """The tensors and what lies beside them; BundleError where there are none."""
    content, where = container.content, str(container.path)
    if not isinstance(content, dict):
        kind = "a single tensor" if isinstance(content, StoredTensor) else f"a {type(content).__name__}"
        raise BundleError(f"holds {kind}, no state dict", where=where, remedy="save it with torch.save(model.state_dict())")
    state = content if inner is None else content.get(inner)
    if not isinstance(state, dict):
        there = f"it has {first([str(key) for key in content])}" if content else "it is empty"
        raise BundleError(
            f"has no {inner!r}: {there}", where=where, remedy="is it another family's? lineclear-export inspect FILE"
        )
    tensors = {str(name): value for name, value in state.items() if isinstance(value, StoredTensor)}
    if not tensors or len(tensors) > MAX_TENSORS:
        nested = _inner_keys(state)
        hint = f"they lie under {first(nested)}" if nested else "give the file with the weights"
        raise BundleError(f"holds {len(tensors) or 'no'} tensors where weights are expected", where=where, remedy=hint)
    extra = {str(name): value for name, value in content.items() if name != inner and not isinstance(value, StoredTensor)}
    return tensors, extra


def _inner_keys(content: Mapping[object, object]) -> list[str]:
    """Keys of dicts that hold tensors directly, those of the largest first."""
    counted = {
        key: sum(isinstance(part, StoredTensor) for part in value.values())
        for key, value in content.items()
        if isinstance(key, str) and isinstance(value, dict)
    }
    return sorted((key for key, count in counted.items() if count), key=lambda key: -counted[key])


def stripped(tensors: dict[str, StoredTensor], strip: Sequence[str]) -> dict[str, StoredTensor]:
    """Each prefix removed in turn, where every tensor's name has it."""
    for prefix in strip:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def first(names: Sequence[str]) -> str:
    """The first three, made fit for a terminal."""
    shown = ", ".join("".join(letter if letter.isprintable() else "?" for letter in name[:120]) for name in names[:_SHOWN])
    return shown + (", ..." if len(names) > _SHOWN else "")
