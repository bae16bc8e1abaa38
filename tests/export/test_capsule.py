from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.bundle import Training
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import BundleError, ConfigError
from edge.settings.engines import OnnxRuntimeSettings
from export.__main__ import main
from export.adapters.capsule import LICENCE, CapsuleSettings, declaration_of, module_of
from export.adapters.capsule_card import recognise
from export.checkpoint import Checkpoint
from export.module_bundle import write_module_bundle
from export.nets.capsule import CapsuleNet, CapsuleScore
from export.nets.capsule_shape import CapsuleShape, capsule_shape
from export.nets.capsules import lengths
from export.nets.grey import grey_levels
from tests.export.networks import checkpoint_of, image_of, keys_of, randomised

DENSE = CapsuleShape("dense", 20, 1, 6, 5, 8, 5, 4, 72, 3, 6, (18, 16, 400))
CONVS = CapsuleShape("convs", 20, 3, 6, 5, 2, 5, 4, 72, 2, 6, ())
SETTINGS = CapsuleSettings(good=0)


def _network(shape: CapsuleShape) -> CapsuleNet:
    net = randomised(CapsuleNet(shape))
    assert isinstance(net, CapsuleNet)
    return net


def _score(shape: CapsuleShape, settings: CapsuleSettings, image: torch.Tensor) -> float:
    return float(module_of(checkpoint_of(_network(shape)), settings)(image))


@pytest.mark.parametrize(("part", "classes", "side"), [("dense", 10, 28), ("convs", 2, 28)])
def test_the_networks_have_upstreams_keys(part: str, classes: int, side: int) -> None:
    keys = keys_of("capsule", part)
    shape = capsule_shape(keys)
    assert shape is not None
    assert (shape.layout, shape.classes, shape.side, shape.sides) == (part, classes, side, (27, 28))
    with torch.device("meta"):
        ours = CapsuleNet(shape).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in ours.items()} == keys


def test_scores_are_made_of_the_lengths() -> None:
    image = image_of((20, 20))
    grey = grey_levels(image) / 255
    good, *defects = lengths(_network(DENSE)(grey))[0].tolist()
    worst = max(defects)
    found = {kind: _score(DENSE, replace(SETTINGS, score=kind), image) for kind in ("difference", "ratio", "probability")}  # type: ignore[arg-type]
    assert found["difference"] == pytest.approx(worst - good, rel=1e-4)
    assert found["ratio"] == pytest.approx(worst / (worst + good), rel=1e-5)
    powers = np.exp([good, *defects])
    assert found["probability"] == pytest.approx(1 - powers[0] / powers.sum(), rel=1e-5)


def test_the_reconstruction_is_of_the_longest_capsule() -> None:
    net = _network(DENSE)
    image = image_of((20, 20))
    grey = grey_levels(image) / 255
    capsules = net(grey)[0]
    masked = torch.zeros(3, 6)
    masked[lengths(capsules).argmax()] = capsules[lengths(capsules).argmax()]
    assert net.decoder is not None
    expected = (net.decoder(masked.flatten()[None]) - grey.flatten(1)).square().sum()
    assert _score(DENSE, replace(SETTINGS, score="reconstruction"), image) == pytest.approx(float(expected), rel=1e-5)


def test_the_primary_capsules_of_the_two_layouts_are_cut_differently() -> None:
    dense, convs = _network(DENSE), _network(replace(CONVS, channels=1))
    x = torch.rand(1, 6, 16, 16, generator=torch.Generator().manual_seed(1))
    maps = dense.primarycaps.conv2d(x)
    first = dense.primarycaps(x)[0, 0]
    assert torch.allclose(first / first.norm(), maps[0, 0, 0, :4] / maps[0, 0, 0, :4].norm(), atol=1e-6)
    across = torch.stack([conv(x)[0, 0, 0, 0] for conv in convs.primcaps.convs])
    first = convs.primcaps(x)[0, 0]
    assert torch.allclose(first / first.norm(), across / across.norm(), atol=1e-6)


class _SeesOneCorner(CapsuleNet):
    """A classifier whose defect capsule is as long as the upper right quarter is bright."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        half = self.shape.side // 2
        bright = image[:, :, :half, half:].mean((1, 2, 3))
        capsules = torch.zeros(image.shape[0], 2, 6)
        capsules[:, 0, 0] = 0.5
        capsules[:, 1, 0] = bright
        return capsules


def test_occlusion_points_at_what_made_the_score() -> None:
    image = torch.full((1, 20, 20, 3), 40, dtype=torch.uint8)
    image[:, 1:4, 16:19] = 255
    with torch.no_grad():
        anomaly, score = CapsuleScore(_SeesOneCorner(CONVS), 0, "difference", occlusion=4)(image)
    assert anomaly.shape == (1, 20, 20)
    assert score.shape == (1,)
    y, x = np.unravel_index(int(anomaly.argmax()), (20, 20))
    assert y < 5
    assert x >= 15
    assert anomaly[0, 10:].max() == 0
    assert anomaly.min() >= 0


def test_the_occluded_passes_are_those_of_the_network_alone() -> None:
    module = module_of(checkpoint_of(_network(CONVS)), replace(SETTINGS, occlusion=2, side=20))
    image = image_of((20, 20))
    anomaly, score = module(image)
    shown = image.float().permute(0, 3, 1, 2) / 255
    hidden = shown.clone()
    hidden[:, :, :10, 10:] = shown.mean((2, 3))[0][None, :, None, None]
    fall = max(0.0, float(module.scores(shown) - module.scores(hidden)))
    assert float(score) == pytest.approx(float(module.scores(shown)), abs=1e-6)
    assert float(anomaly[0, 3, 15]) == pytest.approx(fall, abs=1e-6)


@pytest.mark.parametrize("occlusion", [0, 3])
def test_the_bundle_holds_in_both_precisions(occlusion: int, tmp_path: Path) -> None:
    settings = replace(SETTINGS, occlusion=occlusion, side=20)
    module = module_of(checkpoint_of(_network(CONVS)), settings)
    declaration = declaration_of(module, settings, Training(), "test")
    images = [{"image": image_of((20, 20), seed).numpy()} for seed in range(2)]
    bundle = write_module_bundle(tmp_path / "bundle", module, declaration, images, LICENCE)
    assert bundle.manifest.has_map == bool(occlusion)
    assert bundle.manifest.parameters["network_passes"] == occlusion**2 + 1
    for precision in ("float32", "float16"):
        with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(precision=precision)) as engine:  # type: ignore[arg-type]
            found = engine.infer(images[0])
        made = module(torch.from_numpy(images[0]["image"]))
        expected = made[1] if occlusion else made
        assert found["image_score"][0] == pytest.approx(float(expected), abs=1e-5 if precision == "float32" else 1e-2)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (CapsuleSettings(good=3), "--good: class 3 is not among 0 to 1"),
        (CapsuleSettings(good=0), "--size: the checkpoint does not say the image's side: write 19 or 20"),
        (CapsuleSettings(good=0, side=28), "--size: 28 does not fit the checkpoint: write 19 or 20"),
        (CapsuleSettings(good=0, side=20, score="reconstruction"), "--score: the checkpoint has no decoder"),
        (CapsuleSettings(good=0, side=20, occlusion=11), "--occlusion: 11 cells are not possible: write 0 to 10"),
        (CapsuleSettings(good=0, side=20, routings=0), "--routings: 0 is not possible"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: CapsuleSettings, said: str) -> None:
    if settings.good:
        settings = replace(settings, side=20)
    with pytest.raises(ConfigError) as caught:
        module_of(checkpoint_of(_network(CONVS)), settings)
    assert said in str(caught.value)


def test_a_size_that_the_decoder_does_not_make_is_refused() -> None:
    with pytest.raises(ConfigError, match="28 is not what the decoder makes: leave it out, or write 20"):
        module_of(checkpoint_of(_network(DENSE)), replace(SETTINGS, side=28))


def test_another_network_is_refused() -> None:
    with pytest.raises(BundleError, match=r"x\.pt: is no checkpoint of a capsule classifier"):
        module_of(Checkpoint(Path("x.pt"), {"conv1.weight": torch.zeros(2, 1, 3, 3)}), SETTINGS)
    state = dict(checkpoint_of(_network(DENSE)).state)
    state["digitcaps.weight"] = torch.zeros(3, 70, 6, 4)
    with pytest.raises(BundleError, match="do not fit each other"):
        module_of(Checkpoint(Path("x.pt"), state), SETTINGS)


def test_the_card_says_what_must_be_declared() -> None:
    found = recognise(keys_of("capsule", "convs"))
    assert found is not None
    assert found.facts[0] == "layout of bakirillov/capsules"
    assert found.facts[-1] == "28x28, grey"
    bare = recognise({k: v for k, v in keys_of("capsule", "dense").items() if not k.startswith("decoder")})
    assert bare is not None
    assert bare.declare[-1] == "--size: 27 or 28"


def test_the_command_writes_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(_network(DENSE).state_dict(), tmp_path / "caps.pkl")
    call = ["capsule", "--checkpoint", str(tmp_path / "caps.pkl"), "--out", str(tmp_path / "out")]
    assert main([*call, "--good", "1", "--score", "ratio"]) == 0
    assert "3 classes, good is 1  image score, no map" in capsys.readouterr().out
    assert (tmp_path / "out" / "manifest.json").exists()
