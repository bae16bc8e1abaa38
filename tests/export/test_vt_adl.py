from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import nn

from edge.bundle import Training
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import BundleError, ConfigError
from edge.settings.engines import OnnxRuntimeSettings
from export.__main__ import main
from export.adapters.vt_adl import LICENCE, VtAdlSettings, declaration_of, module_of
from export.adapters.vt_adl_card import recognise
from export.checkpoint import Checkpoint
from export.module_bundle import write_module_bundle
from export.nets.capsules import route, squash
from export.nets.vt_adl import MixtureDensity, VtAdl, VtAe, spread_matrix
from export.nets.vt_adl_shape import VtAdlShape, mixture_shape, vt_adl_shape
from tests.export.networks import checkpoint_of, image_of, keys_of, randomised

SMALL = VtAdlShape(patch=64, side=512, dim=64, depth=1, mlp=16, capsule=64, channels=(1, 2, 2, 2, 2, 2, 3))


@pytest.fixture(scope="module")
def network() -> Checkpoint:
    return checkpoint_of(randomised(VtAe(SMALL, 8)), "VT_AE.pt")


@pytest.fixture(scope="module")
def density() -> Checkpoint:
    return checkpoint_of(randomised(MixtureDensity(64, 3), 1), "G_estimate.pt")


def _outputs(module: VtAdl, image: torch.Tensor) -> tuple[NDArray[Any], float]:
    with torch.no_grad():
        anomaly, score = module(image)
    return anomaly.numpy(), float(score)


def test_the_networks_have_upstreams_keys() -> None:
    keys = keys_of("vt_adl", "VT_AE")
    shape = vt_adl_shape(keys)
    assert shape == VtAdlShape(64, 512, 512, 6, 1024, 512, (8, 16, 32, 32, 16, 8, 3))
    with torch.device("meta"):
        ours = VtAe(shape, 8).state_dict()
        density = MixtureDensity(512, 10).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in ours.items()} == keys
    assert {name: tuple(tensor.shape) for name, tensor in density.items()} == keys_of("vt_adl", "G_estimate")
    assert mixture_shape(keys_of("vt_adl", "G_estimate")) == (512, 10)


def test_the_folded_capsule_is_what_routing_gives() -> None:
    net = randomised(VtAe(SMALL, 8))
    assert isinstance(net, VtAe)
    encoded = torch.randn(1, 64, 64, generator=torch.Generator().manual_seed(3))
    lower = encoded.view(64 * 64, 1)
    votes = torch.einsum("oitd,id->oit", net.Digcap.W, lower)
    assert torch.allclose(squash(net.folded()(encoded.flatten(1))), route(votes[None], 3)[:, 0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("grid", [8, 16])
def test_the_map_is_scipys_blur_of_the_enlarged_grid(grid: int) -> None:
    values = torch.rand(grid, grid, generator=torch.Generator().manual_seed(4)) * 5000
    large = nn.functional.interpolate(values[None, None].double(), (512, 512), mode="bilinear", align_corners=True)
    expected = gaussian_filter(large[0, 0].numpy(), sigma=4)
    matrix = spread_matrix(grid, 512)
    assert np.allclose((matrix @ values @ matrix.T).numpy(), expected, rtol=1e-5)


def test_the_density_is_the_weighted_mean_of_negative_logs() -> None:
    mixture = randomised(MixtureDensity(6, 2), 5)
    assert isinstance(mixture, MixtureDensity)
    vectors = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(6))
    found = mixture(vectors).numpy()
    weights = {name: layer.weight.double().numpy() for name, layer in mixture.named_children()}  # type: ignore[operator,union-attr]
    for row, value in zip(vectors[0].double().numpy(), found, strict=True):
        positive = np.maximum(row, np.finfo(float).eps)
        logits = weights["pi"] @ positive
        shares = np.exp(logits) / np.exp(logits).sum()
        log_variance = np.log1p(np.exp(weights["sigma_sq"] @ positive)).reshape(6, 2)
        mean = (weights["mu"] @ positive).reshape(6, 2)
        total = log_variance + (row[:, None] - mean) ** 2 / np.exp(log_variance)
        assert value == pytest.approx((shares * 0.5 * (math.log(2 * math.pi) + total.sum(0))).sum(), rel=1e-5)


def test_upstreams_slip_is_an_option(network: Checkpoint, density: Checkpoint) -> None:
    image = image_of((512, 512))
    right = module_of(network, density, VtAdlSettings())
    (map_a, trained), (map_b, slip) = (
        _outputs(each, image) for each in (right, module_of(network, density, VtAdlSettings(score="upstream")))
    )
    assert np.array_equal(map_a, map_b)
    assert 0 < abs(slip - trained) <= 2
    assert map_a.shape == (1, 512, 512)
    assert map_a.std() > 0


def test_the_bundle_holds_in_both_precisions(network: Checkpoint, density: Checkpoint, tmp_path: Path) -> None:
    module = module_of(network, density, VtAdlSettings())
    declaration = declaration_of(module, VtAdlSettings(), Training(), "test")
    image = image_of((512, 512), 2)
    bundle = write_module_bundle(tmp_path / "bundle", module, declaration, [{"image": image.numpy()}], LICENCE)
    expected, score = _outputs(module, image)
    with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(precision="float32")) as engine:
        found = engine.infer({"image": image.numpy()})
    assert np.allclose(found["anomaly_map"], expected, rtol=1e-4)
    assert found["image_score"][0] == pytest.approx(score, rel=1e-4)
    crop = bundle.manifest.crop
    assert crop is not None
    assert (round(crop.left * 550), round(crop.bottom * 550)) == (19, 531)
    assert bundle.manifest.masking.fill == "reference"
    assert bundle.manifest.score.kind == "graph"


def test_swapped_files_are_named(network: Checkpoint, density: Checkpoint) -> None:
    with pytest.raises(BundleError, match=r"G_estimate.pt: is no checkpoint of VT-ADL's VT_AE: it is its G_estimate"):
        module_of(density, network, VtAdlSettings())
    with pytest.raises(BundleError, match="no checkpoint of VT-ADL's G_estimate"):
        module_of(network, network, VtAdlSettings())


def test_files_of_two_trainings_are_refused(network: Checkpoint) -> None:
    with pytest.raises(BundleError, match="for vectors of 32 values, the encoder gives 64"):
        module_of(network, checkpoint_of(randomised(MixtureDensity(32, 3))), VtAdlSettings())


def test_heads_must_divide(network: Checkpoint, density: Checkpoint) -> None:
    with pytest.raises(ConfigError, match="--heads: 7 heads do not divide 64"):
        module_of(network, density, VtAdlSettings(heads=7))


def test_another_decoder_is_refused(density: Checkpoint) -> None:
    changed = VtAdlShape(64, 320, 64, 1, 16, 64, (1, 2, 2, 2, 2, 2, 3))
    with pytest.raises(BundleError, match="is for 320x320 pixels"):
        module_of(checkpoint_of(randomised(VtAe(changed, 8))), density, VtAdlSettings())


def test_a_missing_tensor_is_named(network: Checkpoint, density: Checkpoint) -> None:
    state = {name: tensor for name, tensor in network.state.items() if name != "vt.cls_token"}
    with pytest.raises(BundleError, match=r"1 tensors are missing: vt.cls_token"):
        module_of(Checkpoint(Path("cut.pt"), state), density, VtAdlSettings())


def test_the_card_knows_both_files() -> None:
    found = recognise(keys_of("vt_adl", "VT_AE"))
    assert found is not None
    assert found.facts == ("VT_AE", "512x512, patches of 64", "6 blocks of width 512")
    other = recognise(keys_of("vt_adl", "G_estimate"))
    assert other is not None
    assert "--density FILE" in other.command
    assert recognise(keys_of("piade", "Mvtech")) is None


def test_the_command_says_what_is_wrong_with_a_file(
    network: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(dict(network.state), tmp_path / "ae.pt")
    (tmp_path / "g.pt").write_bytes((tmp_path / "ae.pt").read_bytes()[:5000])
    files = ["--checkpoint", str(tmp_path / "ae.pt"), "--density", str(tmp_path / "g.pt")]
    assert main(["vt_adl", *files, "--out", str(tmp_path / "out")]) == 3
    assert "g.pt" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
