"""A network of the shape that a checkpoint states, made no larger than the checkpoint itself."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import nn

from edge.errors import BundleError
from export.checkpoint import Checkpoint, fill

Built = TypeVar("Built", bound=nn.Module)
_LEAST_BYTES = 2  # per number: float16
_SLACK = 1 << 20
_REMEDY = "look what it is: lineclear-export inspect FILE"


def built(make: Callable[[], Built], checkpoint: Checkpoint, *, unused: Sequence[str] = ()) -> Built:
    """The network that `make` constructs, filled from the checkpoint (`fill`); its constructor must compute no numbers.

    It is constructed without memory first: a file whose shapes claim more numbers than it holds is refused, not allocated.
    BundleError: that, or tensors that do not fit.
    """
    try:
        with torch.device("meta"), warnings.catch_warnings():
            # torch remarks on tensors without elements; they are refused below.
            warnings.simplefilter("ignore")
            network = make()
    except (RuntimeError, ValueError, TypeError, OverflowError) as error:
        said = " ".join(str(error).split())[:160]
        raise BundleError(
            f"states a network that cannot be ({said})",
            where=str(checkpoint.path),
            remedy=_REMEDY,
        ) from None
    sizes = [tensor.numel() for tensor in network.state_dict().values()]
    if 0 in sizes:
        raise BundleError(
            "states a network that cannot be (one of its layers has no width)",
            where=str(checkpoint.path),
            remedy=_REMEDY,
        )
    wanted = sum(sizes)
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in checkpoint.state.values()}
    if wanted * _LEAST_BYTES > sum(storages.values()) + _SLACK:
        raise BundleError(
            f"states a network of {wanted} numbers and does not hold them",
            where=str(checkpoint.path),
            remedy=_REMEDY,
        )
    network = network.to_empty(device="cpu")
    fill(network, checkpoint, unused=unused)
    return network


def shapes_of(checkpoint: Checkpoint) -> Mapping[str, tuple[int, ...]]:
    """The checkpoint's tensors by name: shapes alone."""
    return {name: tuple(tensor.shape) for name, tensor in checkpoint.state.items()}


def not_this(what: str, checkpoint: Checkpoint) -> BundleError:
    """The error for a file of another family."""
    return BundleError(f"is no checkpoint of {what}", where=str(checkpoint.path), remedy=_REMEDY)
