import json

import cv2
import numpy as np
import onnx
import pytest
import torch

from benchmarks.upstream.formula import picture, weights
from edge.bundle import open_bundle
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import BundleError
from edge.registration.resampling import resize
from edge.settings.engines import OnnxRuntimeSettings
from export.__main__ import main
from export.adapters.ddad_networks import read_ddad
from export.adapters.ddad_settings import DdadSettings
from export.checkpoint import load_checkpoint
from export.nets.ddad_shape import UNetShape
from export.nets.ddad_unet import DenoisingUNet
from export.nets.resnet import Resnet, ResnetShape

SHAPE = UNetShape(3, 32, (32, 64), 1, frozenset({0, 1}), 2)
EXTRACTOR = ResnetShape(8, (1, 1, 1, 1), (8, 8, 16, 16), (16, 32, 64, 64), bottleneck=True)


def _state(module):
    return weights({name: tuple(tensor.shape) for name, tensor in module.state_dict().items()})


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """As upstream's DataParallel saves them: (U-Net, extractor)."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("upstream")
    torch.save({f"module.{name}": tensor for name, tensor in _state(DenoisingUNet(SHAPE)).items()}, folder / "2000")
    features = {**_state(Resnet(EXTRACTOR)), "fc.weight": torch.zeros(10, 64), "fc.bias": torch.zeros(10)}
    torch.save({f"module.{name}": tensor for name, tensor in features.items()}, folder / "feat4")
    return folder / "2000", folder / "feat4"


@pytest.fixture(scope="module")
def bundle(checkpoints, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundles") / "front"
    shots = tmp_path_factory.mktemp("shots")
    for name in ("one", "two"):
        cv2.imwrite(str(shots / f"{name}.png"), picture(name, 48))
    options = ["--w", "3", "--v", "1.5", "--trajectory", "50", "--noise-seed", "7", "--pre-masking", "--crop", "24"]
    assert _export(checkpoints, out, *options, "--golden", str(shots), "--trained-on", str(shots), "--size", "32") == 0
    return open_bundle(out)


def _export(checkpoints, out, *options):
    unet, features = map(str, checkpoints)
    return main(["ddad", "--checkpoint", unet, "--features", features, "--out", str(out), "--quiet", *options])


def _refused(capsys, checkpoints, out, *options):
    assert _export(checkpoints, out, *options) == 3
    assert not out.exists()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_the_manifest_says_how_it_was_trained(bundle):
    manifest = bundle.manifest
    assert manifest.family == "ddads"
    assert manifest.program.timesteps == (25, 0)
    assert (manifest.program.start, manifest.program.weight, manifest.program.noise.seed) == (50, 3.0, 7)
    assert (manifest.resize.kernel, manifest.resize.mode) == ("antialiased_bilinear", "exact")
    assert (manifest.score.kind, manifest.score.window) == ("max", 1)
    assert manifest.masking.pre
    assert manifest.training.images == 2
    told = {key: manifest.parameters[key] for key in ("w", "v", "heads", "base_channels", "scored_middle_px")}
    assert told == {"w": 3.0, "v": 1.5, "heads": 2, "base_channels": 32, "scored_middle_px": 24}


def test_weights_are_half_and_sums_are_not(bundle):
    assert 0.2 < bundle.manifest.parameters["half_share"] < 1
    assert 0.2 < bundle.manifest.parameters["half_share_step"] < 1
    for graph in ("step", "model"):
        assert len(bundle.model_bytes("float16", graph)) < 0.75 * len(bundle.model_bytes("float32", graph))


def test_every_side_of_the_graphs_is_a_number(bundle):
    """TensorRT is given static shapes alone."""
    for graph in bundle.graphs:
        model = onnx.load_from_string(bundle.model_bytes("float32", graph.name))
        for tensor, spec in zip((*model.graph.input, *model.graph.output), (*graph.inputs, *graph.outputs), strict=True):
            assert tuple(side.dim_value for side in tensor.type.tensor_type.shape.dim) == spec.shape


@pytest.mark.parametrize(("precision", "limit"), [("float32", 1e-5), ("float16", 2e-3)])
def test_the_station_runs_it_and_gets_the_golden_map(bundle, precision, limit):
    inputs, outputs = bundle.golden()
    with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=1, precision=precision)) as engine:
        made = engine.infer(inputs[0])["anomaly_map"]
        assert np.abs(made - outputs[0]["anomaly_map"]).max() <= limit * outputs[0]["anomaly_map"].max()
        assert not made[0, :4].any()
        assert made[0, 4:28, 4:28].any()


def test_masked_pixels_do_not_reach_the_map(bundle):
    """What lies under a mask is seen by the denoising, but by no comparison where it is black."""
    inputs, _ = bundle.golden()
    keep = np.zeros((1, 32, 32), np.uint8)
    with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=1)) as engine:
        made = engine.infer({**inputs[0], "keep": keep})["anomaly_map"]
    assert np.abs(made).max() < 1e-5


def test_golden_images_are_resized_as_the_training_did(bundle):
    inputs, _ = bundle.golden()
    image = cv2.cvtColor(picture("one", 48), cv2.COLOR_BGR2RGB)
    assert np.array_equal(inputs[0]["image"][0], resize(image, (32, 32), "antialiased_bilinear"))


def test_heads_that_the_width_does_not_tell_must_be_told(capsys, checkpoints, tmp_path):
    odd = tmp_path / "odd"
    torch.save(_state(DenoisingUNet(UNetShape(3, 96, (96, 96), 1, frozenset({0}), 1))), odd)
    said = _refused(capsys, (odd, checkpoints[1]), tmp_path / "out", "--w", "2")
    assert "--heads" in said
    assert "96 base channels" in said


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--w", "2", "--heads", "5"], "5 heads do not divide"),
        (["--w", "2", "--size", "256"], "trained at (32x32)"),
        (["--w", "2", "--crop", "33"], "33 is more than the side 32"),
        (["--w", "nan"], "--w: "),
        (["--w", "-1"], "--w: "),
        (["--w", "2", "--trajectory", "1000"], "lineclear-export: trajectory must be below steps"),
        (["--w", "2", "--skip", "0"], "skip"),
        (["--w", "2", "--eta", "2"], "eta"),
        (["--w", "2", "--noise-seed", "-1"], "--noise-seed: "),
        (["--w", "2", "--beta", "0.5", "1.5"], "--beta: "),
    ],
)
def test_options_that_make_no_model_are_refused(capsys, checkpoints, tmp_path, options, word):
    assert word in _refused(capsys, checkpoints, tmp_path / "out", *options)


def test_w_has_no_default(capsys, checkpoints, tmp_path):
    with pytest.raises(SystemExit):
        _export(checkpoints, tmp_path / "out")
    assert "--w" in capsys.readouterr().err


def test_the_two_files_swapped(capsys, checkpoints, tmp_path):
    said = _refused(capsys, checkpoints[::-1], tmp_path / "out", "--w", "2")
    assert "feat4" in said
    assert "inspect" in said


@pytest.mark.parametrize("which", [0, 1])
def test_broken_checkpoints_are_named(capsys, checkpoints, tmp_path, which):
    states = [torch.load(path, weights_only=True) for path in checkpoints]
    names = ("module.middle.1.proj_out.weight", "module.layer2.0.bn2.weight")
    broken = list(checkpoints)
    for kind, word in (("missing", "1 tensors are missing"), ("shape", "another shape"), ("nan", "no numbers")):
        state = dict(states[which])
        if kind == "missing":
            del state[names[which]]
        elif kind == "shape":
            state[names[which]] = torch.zeros(3, 3)
        else:
            state[names[which]] = torch.full_like(state[names[which]], torch.nan)
        broken[which] = tmp_path / f"{kind}{which}"
        torch.save(state, broken[which])
        said = _refused(capsys, broken, tmp_path / "out", "--w", "2")
        assert word in said
        assert names[which].removeprefix("module.") in said


def test_a_truncated_file_and_none(capsys, checkpoints, tmp_path):
    half = tmp_path / "half"
    half.write_bytes(checkpoints[0].read_bytes()[:5000])
    assert "half" in _refused(capsys, (half, checkpoints[1]), tmp_path / "out", "--w", "2")
    assert "nothere" in _refused(capsys, (tmp_path / "nothere", checkpoints[1]), tmp_path / "out", "--w", "2")


def test_a_small_file_cannot_claim_a_large_network(capsys, checkpoints, tmp_path):
    state = torch.load(checkpoints[1], weights_only=True)
    state["module.layer1.0.conv1.weight"] = torch.zeros(1 << 22, 1, 1, 1)
    forged = tmp_path / "forged"
    torch.save(state, forged)
    assert "does not hold them" in _refused(capsys, (checkpoints[0], forged), tmp_path / "out", "--w", "2")


def test_inspect_knows_both_files(capsys, checkpoints):
    assert main(["inspect", str(checkpoints[0])]) == 0
    said = capsys.readouterr().out
    assert "ddads" in said
    assert "--w" in said
    assert json.dumps("32x32").strip('"') in said


def test_damaged_files_are_errors_and_nothing_else(checkpoints, tmp_path):
    """Bytes of the archive's index and of the pickle within, changed at random: a BundleError each."""
    settings = DdadSettings(weight=2.0)
    random = np.random.default_rng(11)
    refused = 0
    for which, path in enumerate(checkpoints):
        whole = path.read_bytes()
        start = whole.index(b"data.pkl")
        for _ in range(40):
            data = bytearray(whole)
            for place in random.integers(start, start + 4000, 3):
                data[place] = random.integers(0, 256)
            damaged = tmp_path / "damaged"
            damaged.write_bytes(bytes(data))
            files = [damaged if place == which else checkpoints[place] for place in (0, 1)]
            try:
                read_ddad(*(load_checkpoint(file) for file in files), settings)
            except BundleError:
                refused += 1
    assert refused > 60
