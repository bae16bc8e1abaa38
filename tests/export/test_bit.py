import cv2
import numpy as np
import pytest
import torch

from benchmarks.upstream.formula import picture
from edge.bundle import open_bundle
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.settings.engines import OnnxRuntimeSettings
from export.__main__ import main
from export.adapters.bit_network import read_bit
from export.nets.bit import Bit
from tests.export.test_bit_nets import small_net


def save_as_upstream(net, path, **others):
    """The trainer's whole dict: the optimiser's state, and an accuracy that is numpy's."""
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    content = {
        "epoch_id": 3,
        "best_val_acc": np.float64(0.8371),
        "best_epoch_id": 3,
        "model_G_state_dict": {**state, "resnet.fc.weight": torch.zeros(10, 8), "resnet.fc.bias": torch.zeros(10)},
        "optimizer_G_state_dict": optimiser.state_dict(),
        "exp_lr_scheduler_G_state_dict": {"last_epoch": 3},
    }
    torch.save({**content, **others}, path)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.set_num_threads(1)
    return save_as_upstream(small_net(), tmp_path_factory.mktemp("upstream") / "best_ckpt.pt")


@pytest.fixture(scope="module")
def tiled(checkpoint, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundles") / "gear"
    assert _export(checkpoint, out, "--size", "128x96", "--tile", "64", "--overlap", "0", "--grey", "--window", "9") == 0
    return open_bundle(out)


def _export(checkpoint, out, *options):
    return main(["bit", "--checkpoint", str(checkpoint), "--out", str(out), "--quiet", *options])


def _refused(capsys, checkpoint, out, *options):
    assert _export(checkpoint, out, *options) == 3
    assert not out.exists()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_the_trainers_numpy_number_is_read_and_nothing_is_run(checkpoint):
    model = read_bit(checkpoint)
    assert model.checkpoint.extra["best_val_acc"] == 0.8371
    assert model.checkpoint.extra["epoch_id"] == 3


def test_a_file_written_under_numpy_1_is_read_too(checkpoint, tmp_path):
    """numpy 1 calls its scalars' home numpy.core: the same length of text but for one letter, so patch and rezip."""
    import zipfile

    old = tmp_path / "old.pt"
    with zipfile.ZipFile(checkpoint) as given, zipfile.ZipFile(old, "w", zipfile.ZIP_STORED) as made:
        for name in given.namelist():
            data = given.read(name)
            if name.endswith("data.pkl"):
                assert b"numpy._core.multiarray" in data or b"numpy.core.multiarray" in data
                data = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            made.writestr(name, data)
    assert read_bit(old).checkpoint.extra["best_val_acc"] == 0.8371


def test_any_other_object_is_refused(capsys, tmp_path):
    path = save_as_upstream(small_net(), tmp_path / "evil.pt", more=np.random.default_rng(0))
    said = _refused(capsys, path, tmp_path / "out", "--size", "64")
    assert "numpy" in said
    assert "run code" in said


def test_the_manifest_says_how_it_is_used(tiled):
    manifest = tiled.manifest
    assert manifest.family == "bit"
    assert manifest.size_wh == (128, 96)
    assert [spec.name for spec in manifest.inputs] == ["image", "reference"]
    assert manifest.colour_order == "grey"
    assert (manifest.tiling.size, manifest.tiling.overlap) == (64, 0)
    assert (manifest.score.kind, manifest.score.window) == ("max_of_mean_filter", 9)
    assert manifest.resize.kernel == "antialiased_bicubic"
    assert manifest.parameters["epoch"] == 3
    assert "non-commercial" in tiled.licence()


@pytest.mark.parametrize(("precision", "limit"), [("float32", 1e-5), ("float16", 1e-2)])
def test_tiles_are_what_the_network_gives_for_each(checkpoint, tiled, precision, limit):
    pair = {"image": picture("after", 128)[:96][None], "reference": picture("before", 128)[:96][None]}
    module = read_bit(checkpoint, grey=True).module
    with OnnxRuntimeEngine(tiled, OnnxRuntimeSettings(threads=1, precision=precision)) as engine:
        made = engine.infer(pair)["anomaly_map"][0]
    assert made.shape == (96, 128)
    for left in (0, 64):
        part = [torch.from_numpy(np.ascontiguousarray(pair[name][:, :64, left : left + 64])) for name in ("image", "reference")]
        with torch.no_grad():
            expected = module(*part)[0].numpy()
        # The two rows of tiles overlap, as 96 is not twice 64: the upper 32 rows are one tile's alone.
        assert np.abs(made[:32, left : left + 64] - expected[:32]).max() <= limit


def test_half_of_it_is_half(tiled):
    assert tiled.manifest.parameters["half_share"] > 0.6
    assert len(tiled.model_bytes("float16")) < 0.75 * len(tiled.model_bytes("float32"))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--size", "60"], "multiples of 8"),
        (["--size", "128", "--tile", "60"], "--tile"),
        (["--size", "64", "--tile", "128"], "32 to 64"),
        (["--size", "128", "--tile", "64", "--overlap", "64"], "overlap"),
        (["--size", "128", "--overlap", "8"], "without --tile"),
        (["--size", "64", "--window", "8"], "odd"),
        (["--size", "64", "--crop", "0.5", "0", "0.5", "1"], "right must exceed left"),
        (["--size", "64", "--crop", "0", "0", "2", "1"], "--crop"),
        (["--size", "64", "--golden", "/nonexistent"], "/nonexistent"),
    ],
)
def test_options_that_make_no_bundle_are_refused(capsys, checkpoint, tmp_path, options, word):
    assert word in _refused(capsys, checkpoint, tmp_path / "out", *options)


def test_broken_checkpoints_are_named(capsys, tmp_path):
    state = dict(small_net().state_dict())
    name = "transformer_decoder.layers.1.0.fn.fn.to_k.weight"
    changes = {
        "1 tensors are missing": {key: value for key, value in state.items() if key != name},
        "another shape": {**state, name: torch.zeros(3, 16)},
        "1 tensors are unknown": {**state, "extra.weight": torch.zeros(3)},
        "no numbers": {**state, name: torch.full_like(state[name], torch.inf)},
        "no checkpoint of BIT": {key: value for key, value in state.items() if not key.startswith("conv_pred")},
    }
    for word, changed in changes.items():
        path = save_as_upstream(small_net(), tmp_path / "best_ckpt.pt", model_G_state_dict=changed)
        assert word in _refused(capsys, path, tmp_path / "out", "--size", "64")


def test_the_weights_alone_are_told_apart_from_a_checkpoint(capsys, tmp_path):
    torch.save(small_net().state_dict(), tmp_path / "weights.pt")
    assert "model_G_state_dict" in _refused(capsys, tmp_path / "weights.pt", tmp_path / "out", "--size", "64")


def test_a_truncated_file(capsys, checkpoint, tmp_path):
    half = tmp_path / "half.pt"
    half.write_bytes(checkpoint.read_bytes()[:3000])
    assert "half.pt" in _refused(capsys, half, tmp_path / "out", "--size", "64")


def test_several_gpus_leave_a_prefix(tmp_path):
    net = small_net()
    state = {f"module.{name}": tensor for name, tensor in net.state_dict().items()}
    path = save_as_upstream(net, tmp_path / "best_ckpt.pt", model_G_state_dict=state)
    assert isinstance(read_bit(path).module.net, Bit)


def test_golden_vectors_may_be_real_images(checkpoint, tmp_path):
    shots = tmp_path / "shots"
    shots.mkdir()
    for name in ("one", "two"):
        cv2.imwrite(str(shots / f"{name}.png"), picture(name, 64))
    assert _export(checkpoint, tmp_path / "b.zip", "--size", "64", "--golden", str(shots)) == 0
    inputs, outputs = open_bundle(tmp_path / "b.zip").golden()
    assert np.array_equal(inputs[0]["image"][0], picture("one", 64)[:, :, ::-1])
    assert all(0 <= each["anomaly_map"].min() <= each["anomaly_map"].max() <= 1 for each in outputs)
