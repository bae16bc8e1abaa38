"""The stored noise: normal, and the same everywhere."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.noise import inverse_normal, noise_sha256, stored_noise


def test_it_is_the_noise_that_was_always_made() -> None:
    # A change of this hash makes every bundle with a loop refuse to run: it must never be edited to fit.
    assert noise_sha256(stored_noise(7, 2, (5, 4))) == "a70e84248d181114a784db308a37944aff7ee450d1463f32af2de90ea0591a12"


def test_it_is_standard_normal() -> None:
    noise = stored_noise(0, 4, (128, 128)).astype(np.float64)
    for image in noise:
        assert abs(image.mean()) < 4 / np.sqrt(image.size)
        assert image.std() == pytest.approx(1, abs=0.02)
    assert (np.abs(noise) > 3).mean() == pytest.approx(0.0027, abs=0.0006)
    assert np.abs(np.corrcoef(noise.reshape(4, -1)) - np.eye(4)).max() < 0.02


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9))
def test_an_image_of_noise_depends_on_its_seed_and_place_alone(count: int, width: int, height: int) -> None:
    few, more = stored_noise(3, count, (width, height)), stored_noise(3, count + 2, (width, height))
    np.testing.assert_array_equal(few, more[:count])
    assert few.shape == (count, 3, height, width)
    assert not few.flags.writeable
    assert noise_sha256(few) != noise_sha256(stored_noise(4, count, (width, height)))


@given(st.floats(2.0**-33, 1 - 2.0**-33))
def test_the_inverse_is_the_textbooks(share: float) -> None:
    assert inverse_normal(np.array([share]))[0] == pytest.approx(statistics.NormalDist().inv_cdf(share), abs=1e-12)


def test_the_largest_seed_works() -> None:
    assert np.isfinite(stored_noise(2**63 - 1, 1, (8, 8))).all()
