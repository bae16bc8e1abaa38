from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from edge.errors import BundleError, ConfigError
from export.adapters import gaussian
from export.adapters.gaussian import fit, fit_field, gaussian_of, ledoit_wolf, load_gaussian


def samples(count, dimensions, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (count, dimensions)) @ rng.normal(0, 1, (dimensions, dimensions)) + 3


@pytest.mark.parametrize(("count", "dimensions"), [(12, 30), (40, 6), (5, 100), (200, 20)])
def test_ledoit_wolf_is_scikit_learns(count, dimensions):
    x = samples(count, dimensions)
    expected = LedoitWolf().fit(x)
    mean, covariance, shrinkage = ledoit_wolf(x)
    np.testing.assert_allclose(mean, expected.location_, rtol=1e-12)
    np.testing.assert_allclose(covariance, expected.covariance_, rtol=1e-9, atol=1e-12)
    assert shrinkage == pytest.approx(expected.shrinkage_, rel=1e-9)


def test_the_factors_length_is_the_mahalanobis_distance():
    x = samples(15, 40)
    expected = LedoitWolf().fit(x)
    found, _ = fit(x)
    for each in samples(5, 40, seed=1):
        length = np.linalg.norm((each - found.mean) @ found.factor)
        assert length == pytest.approx(float(expected.mahalanobis(each[None])[0]) ** 0.5, rel=1e-4)


def test_a_spread_that_overflows_half_stays_finite():
    found, _ = fit(1 + 1e-4 * samples(20, 16))
    assert np.isfinite(found.factor).all()
    assert np.abs(found.factor @ found.factor.T).max() > 65504 > np.abs(found.factor).max()


@pytest.mark.parametrize("count", [4, 9, 30])
def test_few_axes_are_exactly_the_whole_covariance(count):
    places, dimensions, epsilon = 5, 12, 0.01
    rng = np.random.default_rng(2)
    x = rng.normal(0, 0.4, (count, places, dimensions)) + 2
    field = fit_field(x, epsilon)
    assert field.axes.shape == (places, dimensions, min(count - 1, dimensions))
    probe = rng.normal(2, 1, (places, dimensions))
    for place in range(places):
        apart = probe[place] - field.mean[place]
        along = field.axes[place].T @ apart
        rest = apart - field.axes[place] @ along
        squared = (rest @ rest + (field.weights[place] * along**2).sum()) / epsilon
        precision = np.linalg.inv(np.cov(x[:, place], rowvar=False) + epsilon * np.eye(dimensions))
        away = probe[place] - x[:, place].mean(0)
        assert squared == pytest.approx(away @ precision @ away, rel=1e-4)


def test_images_that_are_all_alike_have_no_spread():
    with pytest.raises(ConfigError, match="one and the same embedding"):
        fit(np.ones((8, 4)))
    with pytest.raises(ConfigError, match="one and the same embedding"):
        fit(np.float32(1) + np.spacing(np.float32(1)) * np.random.default_rng(0).integers(0, 2, (8, 4)))
    with pytest.raises(ConfigError, match="1 images"):
        fit(np.ones((1, 4)))


def test_a_file_of_mean_and_precision(tmp_path):
    precision = np.linalg.inv(np.cov(samples(50, 4), rowvar=False))
    np.savez(tmp_path / "g.npz", mean=np.arange(4.0), precision=precision)
    found = load_gaussian(tmp_path / "g.npz", 4)
    np.testing.assert_allclose(found.factor @ found.factor.T, precision, rtol=1e-4, atol=1e-5)
    with pytest.raises(BundleError, match="the embedding has 5 dimensions"):
        load_gaussian(tmp_path / "g.npz", 5)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"mean": np.zeros(3)}, "no arrays"),
        ({"mean": np.zeros(3), "precision": np.eye(3) * np.nan}, "no numbers"),
        ({"mean": np.zeros(3), "precision": np.arange(9.0).reshape(3, 3)}, "not symmetric"),
        ({"mean": np.zeros(3), "precision": -np.eye(3)}, "not positive definite"),
        ({"mean": np.array([None] * 3), "precision": np.eye(3)}, "cannot be read"),
        ({"mean": np.zeros(3), "precision": np.zeros((40, 40))}, "larger than any"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path, arrays, said, monkeypatch):
    monkeypatch.setattr(gaussian, "MAX_DIMENSIONS", 20)
    np.savez(tmp_path / "g.npz", **arrays)
    with pytest.raises(BundleError, match=said):
        load_gaussian(tmp_path / "g.npz", 3)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nonsense", b"\x80\x04\x95"])
def test_no_npz_at_all(tmp_path, content):
    (tmp_path / "g.npz").write_bytes(content)
    with pytest.raises(BundleError, match="cannot be read"):
        load_gaussian(tmp_path / "g.npz", 3)


def test_an_almost_symmetric_precision_is_taken():
    precision = np.eye(3) + 1e-9 * np.arange(9.0).reshape(3, 3)
    assert np.isfinite(gaussian_of(np.zeros(3), precision, "here").factor).all()
