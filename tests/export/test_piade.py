from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edge.bundle import Training
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import BundleError
from edge.settings.engines import OnnxRuntimeSettings
from export.adapters.piade import LICENCE, declaration_of, module_of
from export.adapters.piade_card import recognise
from export.checkpoint import Checkpoint
from export.module_bundle import write_module_bundle
from export.nets.capsules import lengths, route
from export.nets.piade import Perception, Pyramid
from export.nets.piade_shape import PiadeShape, piade_shape
from export.nets.resnet_shape import ResnetShape
from tests.export.networks import checkpoint_of, image_of, keys_of, randomised

ENCODER = ResnetShape(8, (1, 1, 1, 1), (4, 4, 4, 4), (8, 8, 8, 16), bottleneck=True)
SMALL = PiadeShape(ENCODER, (4, 4, 4, 4, 4), (16, 8, 8, 8), 2, 8, (8, 8, 64), (5, 4, 4, 4, 3))


@pytest.fixture(scope="module")
def network() -> Checkpoint:
    return checkpoint_of(randomised(Pyramid(SMALL)), "Mvtech.pt")


@pytest.fixture(scope="module")
def vgg() -> Checkpoint:
    return checkpoint_of(randomised(Perception(4, 6), 1), "vgg11.pth")


def test_the_networks_have_upstreams_keys() -> None:
    keys = keys_of("piade", "Mvtech")
    shape = piade_shape(keys)
    assert shape is not None
    assert (shape.resnet.name, shape.lower, shape.decoder) == ("resnet50", 480, (640, 16, 32, 32, 3))
    with torch.device("meta"):
        ours = Pyramid(shape).state_dict()
        first = Perception().state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in ours.items()} == {
        name: given for name, given in keys.items() if not name.startswith("resnet.fc.")
    }
    vgg = keys_of("piade", "vgg11")
    assert all(vgg[name] == tuple(tensor.shape) for name, tensor in first.items())


def test_the_score_is_mse_less_ssim_plus_perception(network: Checkpoint, vgg: Checkpoint) -> None:
    module = module_of(network, vgg)
    image = image_of((120, 120))
    shown = image.float().permute(0, 3, 1, 2) / 255
    made = module.network(shown)
    taps = torch.exp(-0.5 * ((torch.arange(11, dtype=torch.float64) - 5) / 1.5) ** 2)
    window = (taps[:, None] * taps / taps.sum() ** 2).expand(3, 1, 11, 11)

    def mean(x: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(x, window, padding=5, groups=3)

    x, y = shown.double(), made.double()
    spread_x, spread_y, shared = mean(x * x) - mean(x) ** 2, mean(y * y) - mean(y) ** 2, mean(x * y) - mean(x) * mean(y)
    alike = (2 * mean(x) * mean(y) + 1e-4) * (2 * shared + 9e-4)
    alike /= (mean(x) ** 2 + mean(y) ** 2 + 1e-4) * (spread_x + spread_y + 9e-4)
    perceived = nn.functional.mse_loss(module.perception.features(made), module.perception.features(shown))
    expected = nn.functional.mse_loss(y, x) - alike.mean() + perceived
    assert float(module(image)) == pytest.approx(float(expected), rel=1e-4)


def test_the_longer_capsule_is_decoded() -> None:
    net = randomised(Pyramid(SMALL), 3)
    assert isinstance(net, Pyramid)
    given: list[torch.Tensor] = []
    votes: list[torch.Tensor] = []
    net.if_.register_forward_hook(lambda _, inputs, __: given.append(inputs[0]))
    net.D1.register_forward_hook(lambda _, __, made: votes.append(made))
    net(image_of((120, 120)).float().permute(0, 3, 1, 2) / 255)
    capsules = route(votes[0], 3)[0]
    assert torch.allclose(given[0][0], capsules[lengths(capsules).argmax()])


def test_the_bundle_has_a_score_and_no_map(network: Checkpoint, vgg: Checkpoint, tmp_path: Path) -> None:
    module = module_of(network, vgg)
    declaration = declaration_of(module, True, Training(), "test")
    image = {"image": image_of((120, 120), 2).numpy()}
    bundle = write_module_bundle(tmp_path / "bundle", module, declaration, [image], LICENCE)
    assert not bundle.manifest.has_map
    crop = bundle.manifest.crop
    assert crop is not None
    assert (round(crop.left * 156), round(crop.right * 156)) == (18, 138)
    for precision, tolerance in (("float32", 1e-4), ("float16", 1e-2)):
        with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(precision=precision)) as engine:  # type: ignore[arg-type]
            found = engine.infer(image)
        assert found["image_score"][0] == pytest.approx(float(module(torch.from_numpy(image["image"]))), rel=tolerance)


def test_a_torchvision_classifier_may_be_left_over(network: Checkpoint, vgg: Checkpoint) -> None:
    more = {"resnet.fc.weight": torch.zeros(10, 16), "resnet.fc.bias": torch.zeros(10)}
    whole = {"features.6.weight": torch.zeros(8, 6, 3, 3), "classifier.0.weight": torch.zeros(2, 2)}
    plain = module_of(network, vgg)
    full = module_of(Checkpoint(Path("a"), {**network.state, **more}), Checkpoint(Path("b"), {**vgg.state, **whole}))
    image = image_of((120, 120))
    assert torch.equal(plain(image), full(image))


def test_other_files_are_refused(network: Checkpoint, vgg: Checkpoint) -> None:
    with pytest.raises(BundleError, match=r"vgg11.pth: is no checkpoint of PIADE"):
        module_of(vgg, vgg)
    with pytest.raises(BundleError, match=r"Mvtech.pt: is no checkpoint of VGG-11"):
        module_of(network, network)
    state = dict(network.state)
    state["final.decoder2.0.weight"] = torch.zeros(6, 4, 3, 3)
    with pytest.raises(BundleError, match="has a decoder for 6 channels, its encoder gives 5"):
        module_of(Checkpoint(Path("x"), state), vgg)


def test_the_card() -> None:
    found = recognise(keys_of("piade", "Mvtech"))
    assert found is not None
    assert found.facts[:3] == ("resnet50", "120x120", "480 capsules to 2")
    assert np.all([recognise(keys_of("vt_adl", "VT_AE")) is None, recognise(keys_of("piade", "vgg11")) is None])
