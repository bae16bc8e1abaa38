import fnmatch
import functools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.upstream.formula import picture, weights
from edge.bundle import Training, graphs
from export.adapters.ddad import declaration
from export.adapters.ddad_card import recognise
from export.adapters.ddad_networks import UNUSED, DdadModel
from export.adapters.ddad_settings import DdadSettings
from export.nets.ddad import DdadHead, DdadStep
from export.nets.ddad_shape import UNetShape, unet_shape
from export.nets.ddad_unet import DenoisingUNet, sinusoid
from export.nets.resnet import Resnet, ResnetShape, resnet_shape
from export.program_bundle import TorchRunner, runner

KEYS = Path(__file__).parent / "keys" / "ddad.json"
SMALL = UNetShape(3, 32, (32, 64, 96, 128), 2, frozenset({0, 1, 2}), 2)
# What upstream's own code gave for the formula's weights and picture: python -m benchmarks.upstream.ddad --record
NOISE_AT_50 = [-0.12962, -0.05964, 0.36235, -0.00484, -0.56179, 0.251, 0.22528, 0.61746, -0.15225, 0.01599, -0.31841, -0.4692]
RESTORED = [0.03985, 0.11286, -0.55053, -0.48244, 0.28034, 0.4773, 0.31295, -0.25171, -1.01045, -0.08667, -0.39099, 0.71255]
MAP = [0.06335, 0.06042, 0.05861, 0.05713, 0.05643, 0.05558, 0.05812, 0.05485, 0.05444]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def unet():
    net = DenoisingUNet(SMALL)
    net.load_state_dict(weights({name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}))
    return net.eval()


@pytest.fixture(scope="module")
def features():
    net = Resnet(ResnetShape(64, (1, 1, 1), (64, 128, 256), (256, 512, 1024), bottleneck=True))
    net.load_state_dict(weights({name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}))
    return net.eval()


@functools.cache
def keys(part):
    stored = json.loads(KEYS.read_text())[part]
    return {name.removeprefix("module."): tuple(shape) for name, shape in stored.items()}


@pytest.mark.parametrize(
    ("part", "side", "base", "heads"), [("ddad_256", 256, 64, 4), ("ddads_256", 256, 32, 2), ("ddad_512", 512, 64, 4)]
)
def test_our_network_has_upstreams_keys_and_shapes(part, side, base, heads):
    shape = unet_shape(keys(part))
    assert (shape.side, shape.base, shape.heads, shape.blocks) == (side, base, heads, 2)
    with torch.device("meta"):
        ours = DenoisingUNet(shape)
    assert {name: tuple(tensor.shape) for name, tensor in ours.state_dict().items()} == keys(part)


@pytest.mark.parametrize("part", ["wide_resnet101_2", "wide_resnet50_2", "resnet50"])
def test_our_extractor_leaves_over_what_is_known_to_be_unused(part):
    whole = resnet_shape(keys(part))
    assert whole.name == part
    with torch.device("meta"):
        ours = Resnet(replace(whole, blocks=whole.blocks[:3], inner=whole.inner[:3], out=whole.out[:3])).state_dict()
    assert all(tuple(tensor.shape) == keys(part)[name] for name, tensor in ours.items())
    left = [name for name in keys(part) if name not in ours]
    assert left
    assert all(any(fnmatch.fnmatchcase(name, pattern) for pattern in UNUSED) for name in left)


@pytest.mark.parametrize("part", ["ddad_256", "ddads_256", "ddad_512"])
def test_the_card_says_what_it_is_and_what_must_be_told(part):
    card = recognise(keys(part))
    assert card.family == part.partition("_")[0]
    assert part.partition("_")[2] in card.facts[1]
    assert any("--w" in each for each in card.declare)


def test_the_card_knows_the_extractor_and_nothing_else():
    assert "wide_resnet50_2" in recognise(keys("wide_resnet50_2")).facts[0]
    assert recognise({"conv1.weight": (64, 3, 7, 7)}) is None
    assert recognise({}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"down.0.0.weight": (64, 1, 3, 3)},
        {"down.4.0.in_layers.2.weight": (4096, 64, 3, 3)},
        {"down.1.0.out_layers.3.weight": (64,)},
        {"time_embedding.1.weight": (255, 64)},
        {"up.99.0.in_layers.0.weight": (64,)},
        {"down.99.0.in_layers.0.weight": (64,)},
    ],
)
def test_shapes_that_do_not_go_together_are_no_network(change):
    assert unet_shape({**keys("ddad_256"), **change}) is None


def test_a_network_without_attention_is_not_upstreams():
    assert unet_shape({name: shape for name, shape in keys("ddad_256").items() if "to_qkv" not in name}) is None


def test_time_as_sines_and_cosines():
    code = sinusoid(torch.tensor([0.0]), 8)
    assert code.tolist() == [[0.0] * 4 + [1.0] * 4]
    assert sinusoid(torch.tensor([100.0]), 8)[0, 3].item() == pytest.approx(np.sin(100 * 10_000 ** (-3 / 4)), abs=1e-5)


def test_the_network_gives_what_upstreams_gives(unet):
    image = torch.from_numpy(picture("ddad", 32)).permute(2, 0, 1)[None].float() / 255 * 2 - 1
    with torch.no_grad():
        noise = unet(image, torch.full((1,), 50.0))
    assert noise[0, :, ::16, ::16].flatten().tolist() == pytest.approx(NOISE_AT_50, abs=2e-5)


def _program(unet, features, **options):
    fields = {"weight": 3.0, "pixel_weight": 1.5, "trajectory": 75, "noise_seed": 7, **options}
    settings = DdadSettings.model_validate(fields)
    head = DdadHead(features, 32, weight=settings.pixel_weight, crop=settings.crop, masks=settings.pre_masking)
    model = DdadModel(DdadStep(unet), head, SMALL, "test", ("0" * 64, "0" * 64))
    declared = declaration(model, settings, "test", Training())
    modules = {"step": model.step, "model": model.head}
    return runner(declared, {name: Spy(modules[name], declared, name) for name in modules})


class Spy(TorchRunner):
    def __init__(self, module, declared, name):
        super().__init__(module, next(graph for graph in graphs(declared) if graph.name == name))
        self.seen = []

    def call(self, inputs):
        self.seen.append(inputs)
        return super().call(inputs)


def test_loop_and_map_are_upstreams_with_the_same_noise(unet, features):
    program = _program(unet, features)
    made = program.infer({"image": picture("ddad", 32)[None]})["anomaly_map"][0]
    restored = program._graphs["model"][1].seen[0]["reconstruction"]
    assert restored[0, :, ::16, ::16].flatten().tolist() == pytest.approx(RESTORED, abs=1e-4)
    assert made[::11, ::11].flatten().tolist() == pytest.approx(MAP, rel=1e-3)


def test_upstreams_crop_is_black_outside_and_the_same_inside(unet, features):
    image = {"image": picture("ddad", 32)[None]}
    whole = _program(unet, features).infer(image)["anomaly_map"][0]
    middle = _program(unet, features, crop=21).infer(image)["anomaly_map"][0]
    # torchvision's CenterCrop rounds half to even: (32 - 21) / 2 = 5.5 gives 6.
    assert np.array_equal(middle[6:27, 6:27], whole[6:27, 6:27])
    outside = np.ones((32, 32), bool)
    outside[6:27, 6:27] = False
    assert not middle[outside].any()


def test_the_same_seed_gives_the_same_map_and_another_seed_another(unet, features):
    image = {"image": picture("ddad", 32)[None]}
    program = _program(unet, features)
    once, again = program.infer(image)["anomaly_map"], program.infer(image)["anomaly_map"]
    assert np.array_equal(once, again)
    assert not np.array_equal(once, _program(unet, features, noise_seed=8).infer(image)["anomaly_map"])


def _head(features, *, masks=False, weight=1.0):
    return DdadHead(features, 32, weight=weight, crop=None, masks=masks).eval()


def _planes(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 * 2 - 1


def test_alike_pictures_have_a_map_of_nought(features):
    image = picture("ddad", 32)
    made = _head(features)(torch.from_numpy(image)[None], _planes(image))
    assert torch.isfinite(made).all()
    assert made.abs().max() < 1e-5


def test_what_is_masked_before_the_map_changes_nothing(features):
    head = _head(features, masks=True)
    keep = torch.ones(1, 32, 32, dtype=torch.uint8)
    keep[:, 8:20, 8:20] = 0
    plain, dirty = picture("ddad", 32), picture("ddad", 32)
    dirty[8:20, 8:20] = 255
    restored = _planes(picture("other", 32))
    first, second = (head(torch.from_numpy(image)[None], keep, restored) for image in (plain, dirty))
    assert torch.equal(first, second)
    unmasked = head(torch.from_numpy(dirty)[None], torch.ones_like(keep), restored)
    assert not torch.equal(first, unmasked)


def test_everything_masked_is_no_division_by_nought(features):
    keep = torch.zeros(1, 32, 32, dtype=torch.uint8)
    image = picture("ddad", 32)
    made = _head(features, masks=True)(torch.from_numpy(image)[None], keep, _planes(picture("other", 32)))
    assert torch.isfinite(made).all()
    assert made.abs().max() < 1e-5


def test_pixels_weigh_as_much_as_told(features):
    image, restored = torch.from_numpy(picture("ddad", 32))[None], _planes(picture("other", 32))
    none, one, three = (_head(features, weight=weight)(image, restored) for weight in (0.0, 1.0, 3.0))
    assert torch.allclose(three - none, 3 * (one - none), rtol=1e-3, atol=1e-5)


def test_a_step_without_noise_left_gives_the_clean_picture(unet):
    xt, y0, noise = (_planes(picture(name, 32)) for name in ("xt", "y0", "noise"))
    lost = 0.01
    kept = (1 - lost**2) ** 0.5
    with torch.no_grad():
        made = DdadStep(unet)(xt, y0, noise, torch.tensor([0.0]), torch.tensor([kept, lost, 1.0, 0.0, 0.0, 2.0]))
        predicted = unet(xt, torch.tensor([0.0]))
    guided = predicted - lost * 2.0 * (kept * y0 + lost * predicted - xt)
    assert torch.allclose(made, (xt - lost * guided) / kept, atol=1e-5)
