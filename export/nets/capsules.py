"""Capsules: vectors whose length says that something is there, and routing by agreement between two layers of them.

Sabour, Frosst and Hinton, "Dynamic Routing Between Capsules", NeurIPS 2017. Everything here is float32 whatever the network
around it is: lengths, agreements and their softmax are sums over hundreds of small products.
"""

from __future__ import annotations

import torch
from torch import nn


def squash(vectors: torch.Tensor) -> torch.Tensor:
    """Each vector of the last axis, its length n brought to n^2 / (1 + n^2); a vector of zeros stays one."""
    squared = vectors.square().sum(-1, keepdim=True)
    return vectors * (squared.sqrt() / (1 + squared))


def route(votes: torch.Tensor, iterations: int, *, over_inputs: bool = False) -> torch.Tensor:
    """Routing by agreement. votes: [N, out, in, dim], what each lower capsule says each higher one is. To [N, out, dim].

    Each lower capsule shares its vote among the higher ones, more to those that agree with it. over_inputs: a common
    variant in which the shares of each higher capsule sum to 1 over the lower ones instead.
    """
    logits = torch.zeros_like(votes[..., 0])
    capsules = votes[:, :, 0]
    for step in range(iterations):
        shares = torch.softmax(logits, 2 if over_inputs else 1)
        capsules = squash((shares.unsqueeze(-1) * votes).sum(2))
        if step < iterations - 1:
            logits = logits + (capsules.unsqueeze(2) * votes).sum(-1)
    return capsules


def lengths(capsules: torch.Tensor) -> torch.Tensor:
    """The length of each capsule: [..., dim] to [...]."""
    return capsules.square().sum(-1).sqrt()


def longest(capsules: torch.Tensor) -> torch.Tensor:
    """All capsules but the longest set to zero: [N, out, dim] to the same."""
    kept = torch.arange(capsules.shape[1], device=capsules.device) == lengths(capsules).argmax(1, keepdim=True)
    return capsules * kept.unsqueeze(-1).to(capsules.dtype)


class Votes(nn.Module):
    """The matrices by which lower capsules vote, under the name and in the order of a checkpoint.

    name: of the parameter, [out, in, to, dim], or [out, in, dim, to] where `transposed`. It stays float32.
    """

    def __init__(self, out: int, lower: int, to: int, dim: int, *, name: str = "weight", transposed: bool = False) -> None:
        super().__init__()
        self._name, self._transposed = name, transposed
        shape = (dim, to) if transposed else (to, dim)
        self.register_parameter(name, nn.Parameter(torch.empty(out, lower, *shape)))

    def forward(self, capsules: torch.Tensor) -> torch.Tensor:
        """[N, in, dim] to votes [N, out, in, to]."""
        matrices = self.get_parameter(self._name).float()
        if self._transposed:
            matrices = matrices.transpose(2, 3)
        out, lower, to, dim = matrices.shape
        # One product per lower capsule, for all higher ones and all images at once.
        stacked = matrices.permute(1, 0, 2, 3).reshape(lower, out * to, dim)
        votes = torch.matmul(stacked, capsules.float().permute(1, 2, 0))
        return votes.reshape(lower, out, to, -1).permute(3, 1, 0, 2)
