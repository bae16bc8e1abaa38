"""Every layout of anomalib's exports: what comes out equals what the file itself computes, without its clamp."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edge.bundle import Training, open_bundle
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import BundleError
from edge.settings.engines import OnnxRuntimeSettings
from export.__main__ import main
from export.adapters.anomalib import Adapted, Choices, adapt
from export.onnx_surgery.reading import read_onnx
from export.onnx_surgery.session import run
from export.proof import run_once
from tests.export.onnx_files import IMAGENET_MEAN, IMAGENET_STD, anomalib_0, anomalib_2, picture, saved


def _adapted(model: Any, folder: Path, **choices: Any) -> Adapted:
    return adapt(read_onnx(saved(model, folder / "model.onnx")), Choices(**choices), Training(), "tests")


def _upstream(model: Any, image: Any) -> dict[str, Any]:
    """The file's own outputs for an image in 0..1."""
    names = [each.name for each in model.graph.output]
    values = np.ascontiguousarray(image.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
    return run(model, {"input": values}, names, "upstream")


def _clipped(raw: Any, threshold: float, span: float) -> Any:
    return np.clip((raw - threshold) / span + 0.5, 0, 1)


@pytest.mark.parametrize("opset", [11, 13, 14, 16, 17, 18, 20])
def test_raw_scores_come_from_behind_threshold_and_clamp(tmp_path: Path, opset: int) -> None:
    model = anomalib_2(opset=opset)
    adapted = _adapted(model, tmp_path)
    image = picture((64, 64))
    made = run_once(adapted.model, {"image": image})
    upstream = _upstream(model, image)
    assert list(made) == ["anomaly_map"]
    assert adapted.declaration.score.kind == "max"
    assert made["anomaly_map"].max() > 0.7 + 1.25 / 2, "the picture must reach beyond the clamp, or this shows nothing"
    np.testing.assert_allclose(_clipped(made["anomaly_map"], 0.7, 1.25), upstream["anomaly_map"][:, 0], atol=2e-6)
    np.testing.assert_allclose(_clipped(made["anomaly_map"].max(), 0.9, 1.6), upstream["pred_score"].item(), atol=2e-6)
    parameters = adapted.declaration.parameters
    assert parameters["upstream_pixel_threshold"] == pytest.approx(0.7, abs=1e-6)
    assert parameters["upstream_image_threshold"] == pytest.approx(0.9, abs=1e-6)
    assert parameters["upstream_pixel_span"] == pytest.approx(1.25, abs=1e-6)
    assert parameters["scores"] == "raw"


def test_a_map_without_a_channel_axis(tmp_path: Path) -> None:
    model = anomalib_2(flat_map=True)
    made = run_once(_adapted(model, tmp_path).model, {"image": picture((64, 64))})
    upstream = _upstream(model, picture((64, 64)))
    np.testing.assert_allclose(_clipped(made["anomaly_map"], 0.7, 1.25), upstream["anomaly_map"], atol=2e-6)


def test_a_score_of_its_own_is_kept_and_said(tmp_path: Path) -> None:
    model = anomalib_2(own_score=True)
    adapted = _adapted(model, tmp_path)
    made = run_once(adapted.model, {"image": picture((64, 64))})
    upstream = _upstream(model, picture((64, 64)))["pred_score"]
    assert adapted.declaration.score.kind == "graph"
    assert made["image_score"].shape == (1,)
    np.testing.assert_allclose(_clipped(made["image_score"], 0.9, 1.6), upstream[:, 0], atol=2e-6)
    assert any("masks do not change it" in remark for remark in adapted.remarks)
    assert _adapted(model, tmp_path, score="max").declaration.score.kind == "max"


def test_without_post_processing_nothing_is_bypassed(tmp_path: Path) -> None:
    model = anomalib_2(post_process=False)
    adapted = _adapted(model, tmp_path)
    made = run_once(adapted.model, {"image": picture((64, 64))})
    np.testing.assert_allclose(made["anomaly_map"], _upstream(model, picture((64, 64)))["anomaly_map"][:, 0], rtol=1e-5)
    assert adapted.declaration.parameters["scores"] == "raw"


def test_a_clamp_that_hides_the_raw_scores_is_said(tmp_path: Path) -> None:
    model = anomalib_2(post_process=False)
    for node in model.graph.node:
        if node.output[0] == "anomaly_map":
            node.op_type = "Clip"
            node.input.extend([model.graph.initializer[-2].name] * 2)
    low, high = (onnx.numpy_helper.from_array(np.float32(value), name) for value, name in ((0, "low"), (1, "high")))
    model.graph.initializer.extend([low, high])
    clip = next(node for node in model.graph.node if node.op_type == "Clip")
    clip.input[1], clip.input[2] = "low", "high"
    adapted = _adapted(model, tmp_path)
    assert adapted.declaration.parameters["scores"] == "clamped to 0..1"
    assert any("recalibration works only within" in remark for remark in adapted.remarks)


@pytest.mark.parametrize("size_hw", [("height", "width"), (80, 100)])
def test_its_own_resize_is_left_to_the_station(tmp_path: Path, size_hw: tuple[int | str, int | str]) -> None:
    inner = anomalib_2()
    adapted = _adapted(anomalib_2(size_hw=size_hw), tmp_path)
    assert adapted.declaration.size_wh == (64, 64)
    assert adapted.declaration.resize.kernel == "antialiased_bilinear"
    assert "Resize" not in [node.op_type for node in onnx.load_from_string(adapted.model).graph.node][:6]
    made = run_once(adapted.model, {"image": picture((64, 64))})["anomaly_map"]
    upstream = _upstream(inner, picture((64, 64)))["anomaly_map"][:, 0]
    np.testing.assert_allclose(_clipped(made, 0.7, 1.25), upstream, atol=2e-6)


def test_its_own_resize_can_stay(tmp_path: Path) -> None:
    model = anomalib_2(size_hw=(80, 100))
    adapted = _adapted(model, tmp_path, keep_resize=True)
    assert adapted.declaration.size_wh == (100, 80)
    made = run_once(adapted.model, {"image": picture((100, 80))})["anomaly_map"]
    assert made.shape == (1, 80, 100)
    assert made.max() > 0


def test_a_centre_crop_becomes_the_manifests(tmp_path: Path) -> None:
    model = anomalib_2(size_hw=(80, 100), inner_hw=(64, 64), crop=8)
    adapted = _adapted(model, tmp_path)
    crop = adapted.declaration.crop
    assert adapted.declaration.size_wh == (48, 48)
    assert crop is not None
    assert (crop.left, crop.top, crop.right, crop.bottom) == (0.125, 0.125, 0.875, 0.875)


@pytest.mark.parametrize("kind", ["map", "score"])
def test_version_0_normalises_as_its_metadata_says(tmp_path: Path, kind: str) -> None:
    model = anomalib_0(kind=kind)
    normalise = {
        "__class_fullname__": "albumentations.augmentations.transforms.Normalize",
        "mean": IMAGENET_MEAN, "std": IMAGENET_STD, "max_pixel_value": 255.0,
    }  # fmt: skip
    steps = {"__version__": "1.1", "transform": {"__class_fullname__": "Compose", "transforms": [normalise]}}
    (tmp_path / "metadata.json").write_text(json.dumps({"image_threshold": 0.4, "transform": steps, "task": "x"}))
    adapted = _adapted(model, tmp_path)
    image = picture((64, 64))
    values = (image.astype(np.float32) / 255 - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD)
    fed = np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)
    upstream = run(model, {"input": fed}, ["output"], "upstream")["output"]
    made = run_once(adapted.model, {"image": image})
    name = "anomaly_map" if kind == "map" else "image_score"
    assert list(made) == [name]
    np.testing.assert_allclose(made[name].reshape(-1), upstream.reshape(-1), rtol=2e-4)
    assert adapted.declaration.parameters["upstream_image_threshold"] == 0.4
    assert adapted.declaration.resize.kernel == "cv2_linear"
    assert adapted.declaration.masking.post == (kind == "map")


def test_version_0_without_metadata_must_be_declared(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="--normalise imagenet"):
        _adapted(anomalib_0(), tmp_path)
    plain, shifted = (_adapted(anomalib_0(), tmp_path, normalise=choice).model for choice in ("none", "imagenet"))
    image = picture((64, 64))
    maps = [run_once(each, {"image": image})["anomaly_map"] for each in (plain, shifted)]
    assert np.abs(maps[0] - maps[1]).max() > 0.1


def test_version_1_with_a_second_output_named_by_number(tmp_path: Path) -> None:
    model = anomalib_0(opset=14, imagenet=True, second=True)
    adapted = _adapted(model, tmp_path)
    made = run_once(adapted.model, {"image": picture((64, 64))})
    upstream = _upstream(model, picture((64, 64)))
    assert adapted.declaration.parameters["anomalib_layout"] == "1.x"
    np.testing.assert_allclose(made["anomaly_map"], upstream["output"][:, 0], rtol=1e-5)
    np.testing.assert_allclose(made["image_score"], upstream["1373"][:, 0], rtol=1e-5)


def test_damaged_metadata_is_no_reason_to_guess(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text("{")
    with pytest.raises(BundleError, match=r"metadata\.json"):
        _adapted(anomalib_0(), tmp_path)


def test_a_fixed_batch_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"batch of 2 images: .*dynamic_axes=\{\}"):
        _adapted(anomalib_2(batch=2), tmp_path)


def test_an_open_size_without_a_resize_must_be_declared(tmp_path: Path) -> None:
    model = anomalib_2()
    for place, name in ((2, "h"), (3, "w")):
        model.graph.input[0].type.tensor_type.shape.dim[place].dim_param = name
    with pytest.raises(BundleError, match="--size"):
        # The reading looks for a Resize before the first convolution only.
        _adapted(model, tmp_path)
    assert _adapted(model, tmp_path, size_wh=(64, 64)).declaration.size_wh == (64, 64)


def test_the_command_writes_a_bundle_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(anomalib_2(opset=18), tmp_path / "model.onnx", data="model.onnx.data")
    assert main(["anomalib", "--checkpoint", str(path), "--out", str(tmp_path / "b.zip")]) == 0
    assert "anomalib 2.x" in capsys.readouterr().out
    bundle = open_bundle(tmp_path / "b.zip")
    assert len([key for key in bundle.manifest.parameters if key.startswith("sha256_of_")]) == 2
    assert bundle.manifest.parameters["half_share"] > 0.3
    for precision in ("float32", "float16"):
        with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(kind="onnxruntime", precision=precision)) as engine:
            assert engine.infer({"image": picture((64, 64))})["anomaly_map"].shape == (1, 64, 64)


def test_inspect_tells_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["inspect", str(saved(anomalib_2(), tmp_path / "m.onnx"))])
    assert "anomalib 2.x" in capsys.readouterr().out
    main(["inspect", str(saved(anomalib_2(batch=2), tmp_path / "n.onnx"))])
    assert "batch of 2" in capsys.readouterr().out
