from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter
from torch import nn

from edge.bundle import Training
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import BundleError, ConfigError
from edge.schema import load_yaml
from edge.settings.engines import OnnxRuntimeSettings
from export.__main__ import main
from export.adapters.autoencoder import LICENCE, declaration_of, module_from_factory, module_of
from export.adapters.autoencoder_card import recognise
from export.checkpoint import Checkpoint
from export.module_bundle import write_module_bundle
from export.nets.autoencoder import AutoencoderMap, build_network, percentile_99
from export.nets.autoencoder_spec import AutoencoderSpec
from tests.export.networks import checkpoint_of, image_of, keys_of, randomised

HEAD = "schema: 1\nsize: [32, 24]\ncolour: {colour}\nresize: antialiased_bilinear\n"
NETWORK = """\
network:
  encoder:
    - {kind: conv, to: 4, kernel: 4, stride: 2, padding: 1}
    - {kind: batch_norm}
    - {kind: leaky_relu, slope: 0.2}
    - {kind: conv, to: 6, kernel: 3, dilation: 2, padding: same}
    - {kind: elu}
  decoder:
    - {kind: conv_transpose, to: CHANNELS, kernel: 4, stride: 2, padding: 1}
    - {kind: sigmoid}
"""


def _spec(tmp_path: Path, rest: str = "residual: {kind: l1}", colour: str = "grey", network: str = NETWORK) -> AutoencoderSpec:
    channels = "1" if colour == "grey" else "3"
    text = HEAD.replace("{colour}", colour) + network.replace("CHANNELS", channels) + rest + "\n"
    (tmp_path / "spec.yaml").write_text(text)
    return load_yaml(AutoencoderSpec, tmp_path / "spec.yaml")


def _trained(spec: AutoencoderSpec, seed: int = 0) -> Checkpoint:
    return checkpoint_of(randomised(build_network(spec, "spec").to_empty(device="cpu"), seed), "ae.pth")


class _Doubling(nn.Module):
    """A network whose reconstruction is known: half of what it is given."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 0.5


def _grey(image: torch.Tensor) -> NDArray[Any]:
    return np.asarray(Image.fromarray(image[0].numpy()).convert("L"), np.float64) / 255


def _map(spec: AutoencoderSpec, image: torch.Tensor) -> NDArray[Any]:
    made = AutoencoderMap(_Doubling(), spec)(image)
    return np.asarray((made if isinstance(made, torch.Tensor) else made[0])[0].numpy())


def test_the_declared_layers_have_the_keys_of_the_file(tmp_path: Path) -> None:
    lines = ["schema: 1", "size: [128, 128]", "colour: grey", "resize: antialiased_bilinear", "network:", "  encoder:"]
    encoder = ((32, 4, 2), (32, 4, 2), (32, 3, 1), (64, 4, 2), (64, 3, 1), (128, 4, 2), (64, 3, 1), (100, 3, 1))
    decoder = ((64, 3, 1, 2), (128, 3, 1, 2), (64, 4, 2, 2), (64, 3, 1, 2), (32, 4, 2, 2), (32, 3, 1, 2), (32, 4, 2, 4))
    for to, kernel, stride in encoder:
        lines += [f"    - {{kind: conv, to: {to}, kernel: {kernel}, stride: {stride}, padding: 1}}", "    - {kind: leaky_relu}"]
    lines.append("  decoder:")
    for to, kernel, stride, factor in decoder:
        lines += [f"    - {{kind: conv, to: {to}, kernel: {kernel}, stride: {stride}, padding: 1}}", "    - {kind: leaky_relu}"]
        lines.append(f"    - {{kind: upsample, factor: {factor}}}")
    lines += ["    - {kind: conv, to: 1, kernel: 4, stride: 2, padding: 1}", "    - {kind: sigmoid}", "residual: {kind: ssim}"]
    (tmp_path / "spec.yaml").write_text("\n".join(lines))
    network = build_network(load_yaml(AutoencoderSpec, tmp_path / "spec.yaml"), "spec")
    found = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert found == keys_of("autoencoder", "autoencoder_model")


@pytest.mark.parametrize(("kind", "power"), [("l1", 1), ("l2", 2)])
def test_differences_are_per_pixel(kind: str, power: int, tmp_path: Path) -> None:
    image = image_of((32, 24))
    found = _map(_spec(tmp_path, f"residual: {{kind: {kind}}}"), image)
    assert np.allclose(found, (_grey(image) / 2) ** power, atol=1e-6)


def test_colours_and_ranges_are_the_networks(tmp_path: Path) -> None:
    image = image_of((32, 24))
    rest = "range: [-1, 1]\nmean: [0.1, 0.2, 0.3]\nstd: [0.5, 0.5, 2]\nresidual: {kind: l1}"
    found = _map(_spec(tmp_path, rest, "bgr"), image)
    planes = image[0].numpy()[:, :, ::-1] / 127.5 - 1
    expected = np.abs((planes - [0.1, 0.2, 0.3]) / [0.5, 0.5, 2]).mean(2) / 2
    assert np.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("window", ["uniform", "gaussian"])
@pytest.mark.parametrize("unbiased", [True, False])
def test_ssim_is_scikit_images(window: str, unbiased: bool, tmp_path: Path) -> None:
    rule = f"{{kind: ssim, window: {window}, side: 11, border: symmetric, unbiased: {str(unbiased).lower()}}}"
    image = image_of((32, 24))
    x = _grey(image)
    y = x / 2

    def mean(values: NDArray[Any]) -> NDArray[Any]:
        if window == "uniform":
            return np.asarray(uniform_filter(values, size=11))
        return np.asarray(gaussian_filter(values, sigma=1.5, truncate=3.5))

    bias = 121 / 120 if unbiased else 1
    spread_x, spread_y, shared = (bias * (mean(a * b) - mean(a) * mean(b)) for a, b in ((x, x), (y, y), (x, y)))
    alike = (2 * mean(x) * mean(y) + 1e-4) * (2 * shared + 9e-4)
    alike /= (mean(x) ** 2 + mean(y) ** 2 + 1e-4) * (spread_x + spread_y + 9e-4)
    assert np.allclose(_map(_spec(tmp_path, f"residual: {rule}"), image), 1 - alike, atol=1e-5)


def test_smoothing_is_scipys_and_the_edge_is_damped(tmp_path: Path) -> None:
    image = image_of((32, 24))
    plain = _grey(image) / 2
    rest = "residual: {kind: l1}\nsmoothing: {kind: KIND, side: 5, sigma: 1.5}\nedge: {width: 2, factor: 0.25}"
    weight = np.full((24, 32), 0.25)
    weight[2:-2, 2:-2] = 1
    for kind, expected in (("mean", uniform_filter(plain, size=5)), ("gaussian", gaussian_filter(plain, 1.5))):
        found = _map(_spec(tmp_path, rest.replace("KIND", kind)), image)
        assert np.allclose(found, expected * weight, atol=1e-5)


class _Numbering(nn.Module):
    """Gives each picture of the batch its own number, so that overlaps can be counted."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.arange(1, x.shape[0] + 1).view(-1, 1, 1, 1).float().expand_as(x)


def test_patches_are_averaged_where_they_overlap(tmp_path: Path) -> None:
    spec = _spec(tmp_path, "patches: {side: 16, stride: 8}\nresidual: {kind: l1}")
    black = torch.zeros(1, 24, 32, 3, dtype=torch.uint8)
    made = AutoencoderMap(_Numbering(), spec)(black)
    assert isinstance(made, torch.Tensor)
    total, count = np.zeros((24, 32)), np.zeros((24, 32))
    for number, (y, x) in enumerate([(y, x) for y in (0, 8) for x in (0, 8, 16)], 1):
        total[y : y + 16, x : x + 16] += number
        count[y : y + 16, x : x + 16] += 1
    assert np.allclose(made[0].numpy(), total / count, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 7, 101, 768])
def test_the_percentile_is_numpys(count: int) -> None:
    values = torch.rand(count, generator=torch.Generator().manual_seed(count))
    assert float(percentile_99(values)) == pytest.approx(float(np.percentile(values.double().numpy(), 99)), rel=1e-6)


@pytest.mark.parametrize(("score", "measure"), [("mean", np.mean), ("p99", lambda each: np.percentile(each, 99))])
def test_scores_that_no_rule_knows_are_in_the_graph(score: str, measure: Any, tmp_path: Path) -> None:
    spec = _spec(tmp_path, f"residual: {{kind: l2}}\nscore: {score}")
    anomaly, found = AutoencoderMap(_Doubling(), spec)(image_of((32, 24)))
    assert float(found) == pytest.approx(float(measure(anomaly.numpy())), rel=1e-5)
    declaration = declaration_of(spec, {}, Training(), "test")
    assert (declaration.score.kind, declaration.masking.fill) == ("graph", "reference")
    assert declaration_of(_spec(tmp_path), {}, Training(), "test").score.kind == "max"


PYRAMID = """\
network:
  encoder:
    - {kind: conv, to: 4, kernel: 3, padding: 1, border: reflect}
    - kind: parallel
      branches:
        - []
        -
          - {kind: adaptive_avg_pool, side: 2}
          - {kind: conv, to: 2, kernel: 1}
          - {kind: relu}
          - {kind: upsample, factor: input, mode: bilinear}
        - [{kind: max_pool, kernel: 4}, {kind: upsample, factor: 4}]
  latent:
    - {kind: avg_pool, kernel: 4}
    - {kind: flatten}
    - {kind: linear, to: 5}
    - {kind: tanh}
    - {kind: linear, to: 48}
    - {kind: unflatten, shape: [1, 6, 8]}
  decoder:
    - {kind: upsample, factor: 4}
    - {kind: parallel, join: sum, branches: [[], [{kind: conv, to: 1, kernel: 3, padding: 1}]]}
    - {kind: sigmoid}
"""


@pytest.mark.parametrize(
    ("network", "rest"),
    [
        (NETWORK, "residual: {kind: ssim}\nscore: p99"),
        (PYRAMID, "residual: {kind: l2}\nsmoothing: {kind: gaussian, sigma: 1}"),
        (NETWORK, "patches: {side: 16, stride: 8}\nresidual: {kind: ssim, window: uniform, side: 7, border: symmetric}"),
    ],
    ids=["dilated", "pyramid", "patches"],
)
def test_the_bundle_holds_in_both_precisions(network: str, rest: str, tmp_path: Path) -> None:
    spec = _spec(tmp_path, rest, network=network)
    module = module_of(_trained(spec), spec, "spec.yaml")
    image = {"image": image_of((32, 24), 3).numpy()}
    bundle = write_module_bundle(tmp_path / "out", module, declaration_of(spec, {}, Training(), "test"), [image], LICENCE)
    made = module(torch.from_numpy(image["image"]))
    expected = (made if isinstance(made, torch.Tensor) else made[0]).numpy()
    for precision, tolerance in (("float32", 1e-5), ("float16", 1e-2)):
        with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(precision=precision)) as engine:  # type: ignore[arg-type]
            assert np.allclose(engine.infer(image)["anomaly_map"], expected, atol=tolerance)


def test_keys_can_be_mapped(tmp_path: Path) -> None:
    spec = _spec(tmp_path, "keys: {enc.first: encoder.0, enc.norm: encoder.1}\nresidual: {kind: l1}")
    plain = _trained(spec)
    theirs = {
        name.replace("encoder.0.", "enc.first.").replace("encoder.1.", "enc.norm."): tensor
        for name, tensor in plain.state.items()
    }
    image = image_of((32, 24))
    found = module_of(Checkpoint(Path("a"), theirs), spec, "s")(image)
    assert torch.equal(found, module_of(plain, spec.model_copy(update={"keys": {}}), "s")(image))
    with pytest.raises(ConfigError, match=r"s: keys: the checkpoint has no 'enc.first'"):
        module_of(plain, spec, "s")


@pytest.mark.parametrize(
    ("network", "rest", "said"),
    [
        (
            NETWORK.replace("kernel: 3, dilation: 2, padding: same", "kernel: 30"),
            "",
            r"encoder: layer 3 \(conv\): does not fit 4x12x16",
        ),
        (NETWORK.replace("to: CHANNELS, kernel: 4", "to: 2, kernel: 4"), "", "network: gives 2x24x32, its input is 1x24x32"),
        (NETWORK.replace("{kind: sigmoid}", "{kind: linear, to: 3}"), "", r"decoder: layer 1 \(linear\): is given 1x24x32"),
        (NETWORK.replace("{kind: elu}", "{kind: unflatten, shape: [2, 2, 2]}"), "", r"encoder: layer 4 \(unflatten\)"),
        (NETWORK.replace("to: 6, kernel: 3", "to: 65536, kernel: 255"), "", "weights up to here"),
        (NETWORK.replace("kind: elu", "kind: upsample, factor: 200, mode: bilinear"), "", None),
    ],
)
def test_layers_that_do_not_fit_are_named(network: str, rest: str, said: str | None, tmp_path: Path) -> None:
    spec = _spec(tmp_path, rest or "residual: {kind: l1}", network=network)
    with pytest.raises((ConfigError, BundleError), match=said):
        module_of(Checkpoint(Path("a"), {"encoder.0.weight": torch.zeros(4, 1, 4, 4)}), spec, "spec.yaml")


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("residual: {kind: ssim, side: 10}", "side must be odd"),
        ("residual: {kind: l3}", "l3"),
        ("residual: {kind: l1}\nrange: [1, 0]", "range"),
        ("residual: {kind: l1}\nmean: [0.1, 0.2]", "mean: write 1 or 1 numbers"),
        ("residual: {kind: l1}\npatches: {side: 16, stride: 7}", "do not reach the end"),
        ("residual: {kind: l1}\npatches: {side: 8, stride: 1}", "at most 100"),
        ("residual: {kind: l1}\ncolor: grey", "color"),
    ],
)
def test_a_wrong_declaration_says_what_is_wrong(rest: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _spec(tmp_path, rest)
    assert said in str(caught.value)


def test_a_percentile_of_a_large_map_is_refused(tmp_path: Path) -> None:
    spec = _spec(tmp_path, "residual: {kind: l1}\nscore: p99").model_copy(update={"size": (1024, 1024)})
    with pytest.raises(ConfigError, match=r"spec\.yaml: score: p99 of 1024x1024"):
        module_of(Checkpoint(Path("a"), {}), spec, "spec.yaml")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    spec = _spec(tmp_path)
    state = dict(_trained(spec).state)
    state["encoder.0.weight"] = state["encoder.0.weight"][:, :, :3]
    with pytest.raises(BundleError, match=r"ae.pth: does not fit .*1 tensors have another shape: encoder.0.weight"):
        module_of(Checkpoint(Path("ae.pth"), state), spec, "spec.yaml")


def make() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 1, 3, padding=1))


def shrinks() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 1, 3))


def test_a_factory_makes_the_network(tmp_path: Path) -> None:
    spec = _spec(tmp_path, network="")
    checkpoint = checkpoint_of(randomised(make()))
    module = module_from_factory(checkpoint, spec, f"{__name__}:make", "s")
    image = image_of((32, 24))
    network = make()
    network.load_state_dict(dict(checkpoint.state))
    grey = torch.from_numpy(_grey(image)).float()[None, None]
    with torch.no_grad():
        assert torch.allclose(module(image)[0], (network(grey) - grey).abs()[0, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("nowhere", "write package.module:function"),
        ("no_such_package.x:make", "cannot be imported"),
        (f"{__name__}:absent", "cannot be imported"),
        (f"{__name__}:_grey_number", "gives a int"),
        (f"{__name__}:shrinks", r"gives \[1, 1, 22, 30\] for \[1, 1, 24, 32\]"),
    ],
)
def test_a_factory_that_is_none_is_refused(factory: str, said: str, tmp_path: Path) -> None:
    checkpoint = checkpoint_of(randomised(shrinks()))
    with pytest.raises(ConfigError, match=said):
        module_from_factory(checkpoint, _spec(tmp_path, network=""), factory, "s")


def _grey_number() -> int:
    return 3


def test_a_factory_beside_declared_layers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="s: network: is declared, and --factory makes one too"):
        module_from_factory(Checkpoint(Path("a"), {}), _spec(tmp_path), f"{__name__}:make", "s")


def test_the_card_knows_two_halves_when_it_sees_them() -> None:
    found = recognise(keys_of("autoencoder", "autoencoder_model"))
    assert found is not None
    assert "grey" in found.facts
    assert recognise(keys_of("vt_adl", "VT_AE")) is None
    assert recognise(keys_of("piade", "Mvtech")) is None
    assert recognise(keys_of("capsule", "dense")) is None


def test_the_command_writes_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = _spec(tmp_path)
    torch.save({"epoch": 3, "state_dict": dict(_trained(spec).state)}, tmp_path / "ae.pth")
    call = ["autoencoder", "--checkpoint", str(tmp_path / "ae.pth"), "--spec", str(tmp_path / "spec.yaml")]
    assert main([*call, "--out", str(tmp_path / "out")]) == 0
    assert "32x24  residual l1  score max" in capsys.readouterr().out
    assert main([*call, "--out", str(tmp_path / "two"), "--factory", "a:b"]) == 3
    assert "--factory makes one too" in capsys.readouterr().err
