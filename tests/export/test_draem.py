from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional

from benchmarks.upstream.comparing import rtx_engine
from edge.bundle import Training, open_bundle
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import BundleError, ConfigError
from edge.registration.resampling import resize
from edge.scoring import measured
from edge.settings.engines import OnnxRuntimeSettings
from edge.types import AnomalyMap
from export.__main__ import main
from export.adapters.draem import declaration, load_draem, segmentation_of
from export.nets.draem import Discriminative, Draem, Reconstructive
from export.proof import run_once
from export.typed import typed_onnx
from tests.export.networks import keys_of, randomised

torch.set_num_threads(1)
GOOD = Path(__file__).resolve().parents[3] / "shared" / "data" / "bsdata" / "277500_315" / "train" / "good"
SIZE = 64


@pytest.fixture(scope="module")
def network() -> Draem:
    # Larger weights than those of a fresh network: a map that is 0.5 everywhere would prove nothing.
    halves = randomised(Reconstructive(4), 1), randomised(Discriminative(4), 2)
    for half in halves:
        for name, tensor in half.state_dict().items():
            if tensor.ndim == 4:
                tensor.mul_(4.0 if "segment.fin_out" in name else 1.4)
            elif name.endswith("weight"):
                tensor.add_(1.0)
    return Draem(*halves).eval()  # type: ignore[arg-type]


@pytest.fixture
def files(network: Draem, tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "DRAEM_test_0.0001_700_bs8_x_.pckl", tmp_path / "DRAEM_test_0.0001_700_bs8_x__seg.pckl"
    torch.save(network.reconstructive.state_dict(), first)
    torch.save(network.discriminative.state_dict(), second)
    return first, second


def _photograph(path: Path) -> Path:
    random = np.random.default_rng(5)
    image = cv2.resize(random.integers(0, 256, (9, 12, 3), dtype=np.uint8), (200, 150), interpolation=cv2.INTER_CUBIC)
    noise = random.normal(0, 12, image.shape)
    cv2.imwrite(str(path), np.clip(image + noise, 0, 255).astype(np.uint8))
    return path


def _as_the_paper_has_it(network: Draem, path: Path, masked: np.ndarray | None = None) -> tuple[np.ndarray, float]:
    """Map and score of an image file: read, resize, BGR / 255, both networks, softmax, 21x21 mean, maximum."""
    image = cv2.resize(cv2.imread(str(path), cv2.IMREAD_COLOR), (SIZE, SIZE)) / 255.0
    batch = torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1))[None]
    with torch.no_grad():
        logits = network.discriminative(torch.cat([network.reconstructive(batch), batch], 1))
        if masked is not None:
            logits[0, 1][torch.from_numpy(masked)] = -torch.inf
        probabilities = torch.softmax(logits, 1)
        averaged = functional.avg_pool2d(probabilities[:, 1:], 21, 1, 10)
    return probabilities[0, 1].numpy(), float(averaged.max())


def _image(path: Path) -> np.ndarray:
    return resize(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), (SIZE, SIZE), "cv2_linear")


def _export(checkpoint: Path, out: Path, *more: str) -> int:
    return main(["draem", "--checkpoint", str(checkpoint), "--size", str(SIZE), "--out", str(out), *more])


@pytest.mark.parametrize("part", ["reconstructive", "discriminative"])
def test_the_networks_have_upstreams_keys(part: str) -> None:
    with torch.device("meta"):
        ours: nn.Module = Reconstructive() if part == "reconstructive" else Discriminative()
    assert {name: tuple(tensor.shape) for name, tensor in ours.state_dict().items()} == keys_of("draem", part)


def test_map_and_score_are_those_of_the_paper(network: Draem, files: tuple[Path, Path], tmp_path: Path) -> None:
    assert _export(files[0], tmp_path / "b", "--masking", "post") == 0
    bundle = open_bundle(tmp_path / "b")
    photograph = _photograph(tmp_path / "photo.png")
    expected, expected_score = _as_the_paper_has_it(network, photograph)
    assert np.ptp(expected) > 0.3
    for precision, error in (("float32", 1e-5), ("float16", 2e-2)):
        with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(precision=precision)) as engine:  # type: ignore[arg-type]
            made = engine.infer({"image": _image(photograph)[None]})["anomaly_map"]
        np.testing.assert_allclose(made[0], expected, atol=error)
        whole = AnomalyMap(scores=np.ascontiguousarray(made[0]), map_to_reference=np.eye(3), bundle=bundle.name)
        score = measured(whole, np.ones((SIZE, SIZE), bool), bundle.manifest.score)[1]
        assert score == pytest.approx(expected_score, abs=error)


def test_the_order_of_the_colours_matters(network: Draem, tmp_path: Path) -> None:
    photograph = _photograph(tmp_path / "photo.png")
    expected, _ = _as_the_paper_has_it(network, photograph)
    with torch.no_grad():
        right, wrong = (
            network(torch.from_numpy(np.ascontiguousarray(each))[None])[0].numpy()
            for each in (_image(photograph), _image(photograph)[..., ::-1])
        )
    np.testing.assert_allclose(right, expected, atol=1e-5)
    assert np.abs(wrong - expected).max() > 0.05


def test_masks_act_at_the_logits_as_in_the_study(network: Draem, files: tuple[Path, Path], tmp_path: Path) -> None:
    assert _export(files[0], tmp_path / "b", "--masking", "pre") == 0
    bundle = open_bundle(tmp_path / "b")
    assert bundle.manifest.masking.pre
    assert not bundle.manifest.masking.post
    photograph = _photograph(tmp_path / "photo.png")
    hidden = np.zeros((SIZE, SIZE), bool)
    hidden[:30, 20:50] = True
    expected, _ = _as_the_paper_has_it(network, photograph, hidden)
    given = {"image": _image(photograph)[None], "keep": (~hidden)[None].astype(np.uint8)}
    for precision in ("float32", "float16"):
        made = run_once(bundle.model_bytes(precision), given)["anomaly_map"][0]  # type: ignore[arg-type]
        assert (made[hidden] == 0).all()
        np.testing.assert_allclose(made, expected, atol=1e-5 if precision == "float32" else 2e-2)
    # The softmax runs within a pixel: masked before or after is the same map.
    unmasked, _ = _as_the_paper_has_it(network, photograph)
    np.testing.assert_allclose(expected, np.where(hidden, 0, unmasked), atol=1e-7)


@pytest.mark.parametrize(
    ("way", "inputs", "post"), [("pre", 2, False), ("post", 1, True), ("both", 2, True), ("none", 1, False)]
)
def test_ways_to_mask(files: tuple[Path, Path], way: str, inputs: int, post: bool) -> None:
    declared = declaration(load_draem(files[0]), (64, 32), way, Training(), "a test")  # type: ignore[arg-type]
    assert (len(declared.inputs), declared.masking.post, declared.masking.pre) == (inputs, post, inputs == 2)


def test_what_the_manifest_says(files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = tmp_path / "good"
    images.mkdir()
    _photograph(images / "a.png")
    assert _export(files[0], tmp_path / "b.zip", "--trained-on", str(images), "--golden", str(images)) == 0
    said = capsys.readouterr().out
    manifest = open_bundle(tmp_path / "b.zip").manifest
    assert said.startswith(manifest.name)
    assert "widths 4 and 4" in said
    assert (manifest.family, manifest.colour_order, manifest.resize.kernel) == ("draem", "bgr", "cv2_linear")
    assert (manifest.score.kind, manifest.score.window, manifest.size_wh) == ("max_of_mean_filter", 21, (64, 64))
    assert manifest.training.images == 1
    assert manifest.parameters["segmentation"] == files[1].name
    assert manifest.parameters["half_share"] > 0.7  # type: ignore[operator]


def test_float32_alone(files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _export(files[0], tmp_path / "b", "--float32-only") == 0
    assert "float16" not in capsys.readouterr().out
    assert "model.fp16.onnx" not in open_bundle(tmp_path / "b").manifest.files


def test_the_float16_graph_computes_its_convolutions_in_float16(network: Draem) -> None:
    image = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    model = onnx.shape_inference.infer_shapes(
        onnx.load_from_string(typed_onnx(network, {"image": image}, ["anomaly_map"], "float16"))
    )
    types = {info.name: info.type.tensor_type.elem_type for info in model.graph.value_info}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 10 + 12 + 13 + 16
    assert {types[node.output[0]] for node in convolutions} == {onnx.TensorProto.FLOAT16}
    assert not [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    assert len([node for node in model.graph.node if node.op_type == "Cast"]) <= 4


def test_tensorrt_rtx_builds_both_files_without_a_gpu(network: Draem) -> None:
    pytest.importorskip("tensorrt_rtx", reason="needs the tensorrt-rtx extra")
    inputs = {"image": torch.zeros(1, 32, 32, 3, dtype=torch.uint8), "keep": torch.ones(1, 32, 32, dtype=torch.uint8)}
    sizes = {}
    for precision in ("float32", "float16"):
        engine = rtx_engine(typed_onnx(network, inputs, ["anomaly_map"], precision))  # type: ignore[arg-type]
        assert engine is not None
        sizes[precision] = engine[0]
    assert sizes["float16"] < sizes["float32"]


def test_both_ways_to_name_the_second_half(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert segmentation_of(files[0]) == files[1]
    study = tmp_path / "C_TEST_REC_MODEL_3000.pth", tmp_path / "C_TEST_SEG_MODEL_3000.pth"
    for old, new in zip(files, study, strict=True):
        old.rename(new)
    assert segmentation_of(study[0]) == study[1]
    assert load_draem(study[0]).segmentation.path == study[1]


def test_a_second_half_that_is_not_there(files: tuple[Path, Path]) -> None:
    files[1].rename(files[1].with_name("elsewhere.pckl"))
    with pytest.raises(ConfigError, match="--segmentation"):
        load_draem(files[0])
    assert load_draem(files[0], files[1].with_name("elsewhere.pckl")).reconstructive_width == 4


def test_halves_in_the_wrong_places(files: tuple[Path, Path]) -> None:
    with pytest.raises(BundleError, match="not the reconstructive half"):
        load_draem(files[1], files[0])
    with pytest.raises(BundleError, match="not the discriminative half"):
        load_draem(files[0], files[0])


def test_another_family(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(BundleError, match="is no DRAEM checkpoint"):
        load_draem(path)


def test_anomalibs_draem_is_refused_with_the_reason(network: Draem, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    state = network.reconstructive.state_dict()
    torch.save({f"model.reconstructive_subnetwork.{name}": tensor for name, tensor in state.items()}, path)
    with pytest.raises(BundleError, match="RGB instead of BGR") as refused:
        load_draem(path)
    assert "anomalib --onnx" in refused.value.remedy


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("encoder.block3.0.weight", (7, 8, 3, 3), r"encoder.block3.0.weight \[7, 8, 3, 3\]"),
        ("encoder.block1.0.weight", (4, 1, 3, 3), "3 channels in are expected"),
        ("encoder.block9.0.weight", (1,), "are unknown: encoder.block9.0.weight"),
    ],
)
def test_tensors_that_do_not_fit(files: tuple[Path, Path], name: str, shape: tuple[int, ...], said: str) -> None:
    state = torch.load(files[0], weights_only=True)
    state[name] = torch.zeros(shape)
    torch.save(state, files[0])
    with pytest.raises(BundleError, match=said):
        load_draem(files[0])


@pytest.mark.parametrize("size", ["60", "64x50", "0", "x", "64x64x64", "99999"])
def test_sizes_that_are_none(files: tuple[Path, Path], tmp_path: Path, size: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draem", "--checkpoint", str(files[0]), "--size", size, "--out", str(tmp_path / "b")]) == 3
    said = capsys.readouterr().err
    assert "--size" in said
    assert "multiples of 32" in said
    assert not (tmp_path / "b").exists()


def test_real_frames(network: Draem, files: tuple[Path, Path], tmp_path: Path) -> None:
    if not GOOD.is_dir():
        pytest.skip(f"{GOOD} is absent")
    assert _export(files[0], tmp_path / "b", "--golden", str(GOOD)) == 0
    bundle = open_bundle(tmp_path / "b")
    inputs, outputs = bundle.golden()
    assert len(inputs) == 3
    first = sorted(GOOD.iterdir())[0]
    assert np.array_equal(inputs[0]["image"][0], _image(first))
    np.testing.assert_allclose(outputs[0]["anomaly_map"][0], _as_the_paper_has_it(network, first)[0], atol=1e-5)
