from __future__ import annotations

import numpy as np
import pytest
import torch

from export.nets.capsules import Votes, lengths, longest, route, squash


def _squashed(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return vector / length * length**2 / (1 + length**2)


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max())
    return np.asarray(powers / powers.sum())


@pytest.mark.parametrize("over_inputs", [False, True])
def test_routing_is_the_published_procedure(over_inputs: bool) -> None:
    votes = np.random.default_rng(1).normal(0, 0.7, (3, 5, 4))
    logits = np.zeros((3, 5))
    for _ in range(3):
        axis_first = logits if over_inputs else logits.T
        shares = np.array([_softmax(row) for row in axis_first])
        shares = shares if over_inputs else shares.T
        capsules = np.array([_squashed((shares[j, :, None] * votes[j]).sum(0)) for j in range(3)])
        agreement = np.array([[capsules[j] @ votes[j, i] for i in range(5)] for j in range(3)])
        before, logits = logits, logits + agreement
    assert before.any()
    found = route(torch.tensor(votes)[None], 3, over_inputs=over_inputs)[0].numpy()
    assert np.allclose(found, capsules, rtol=1e-9)


def test_a_batch_is_routed_image_by_image() -> None:
    votes = torch.randn(4, 2, 6, 3, generator=torch.Generator().manual_seed(2))
    alone = torch.cat([route(each[None], 3) for each in votes])
    assert torch.allclose(route(votes, 3), alone)


def test_nothing_squashes_to_nothing() -> None:
    vectors = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert torch.equal(squash(vectors)[0], torch.zeros(2))
    assert lengths(squash(vectors))[1].item() == pytest.approx(25 / 26)


def test_only_the_longest_stays() -> None:
    capsules = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [0.5, 0.5]]])
    assert torch.equal(longest(capsules), torch.tensor([[[0.0, 0.0], [0.0, 2.0], [0.0, 0.0]]]))


@pytest.mark.parametrize("transposed", [False, True])
def test_votes_are_one_product_per_pair(transposed: bool) -> None:
    votes = Votes(2, 5, 3, 4, name="W", transposed=transposed)
    weight = torch.randn(votes.get_parameter("W").shape, generator=torch.Generator().manual_seed(3))
    votes.load_state_dict({"W": weight})
    given = torch.randn(6, 5, 4, generator=torch.Generator().manual_seed(4))
    expected = torch.einsum("oidt,nid->noit" if transposed else "oitd,nid->noit", weight, given)
    assert torch.allclose(votes(given), expected, atol=1e-6)
