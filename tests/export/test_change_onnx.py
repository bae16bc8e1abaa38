"""TAO VisualChangeNet's two tasks: the contract's outputs equal the file's own, softmax and normalisation included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from edge.bundle import Training, open_bundle
from edge.errors import BundleError
from export.__main__ import main
from export.adapters.change_onnx import Adapted, Choices, adapt
from export.onnx_surgery.reading import read_onnx
from export.onnx_surgery.session import run
from export.proof import run_once
from tests.export.onnx_files import IMAGENET_MEAN, IMAGENET_STD, classify, picture, saved, segment


def _adapted(model: Any, folder: Path, **choices: Any) -> Adapted:
    return adapt(read_onnx(saved(model, folder / "model.onnx")), Choices(**choices), Training(), "tests")


def _planes(image: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
    values = (image.astype(np.float32) / 255 - np.float32(mean)) / np.float32(std)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)


def _softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("batch", ["batch_size", 1])
def test_segment_gives_the_probability_of_change(tmp_path: Path, classes: int, batch: int | str) -> None:
    model = segment(classes, batch)
    image, reference = picture((48, 64), 1), picture((48, 64), 2)
    half = (0.5, 0.5, 0.5)
    feed = {"input0": _planes(image, half, half), "input1": _planes(reference, half, half)}
    logits = run(model, feed, ["output_final"], "upstream")["output_final"]
    adapted = _adapted(model, tmp_path)
    made = run_once(adapted.model, {"image": image, "reference": reference})["anomaly_map"]
    np.testing.assert_allclose(made, 1 - _softmax(logits)[:, 0], atol=2e-5)
    assert np.ptp(made) > 0.1
    swapped = _adapted(model, tmp_path, swap=True)
    other = run_once(swapped.model, {"image": reference, "reference": image})["anomaly_map"]
    np.testing.assert_allclose(other, made, atol=1e-6)
    assert adapted.declaration.resize.kernel == "cv2_linear"
    assert adapted.declaration.masking.post


@pytest.mark.parametrize(("head", "golden"), [("learnable", 1), ("learnable", 3), ("euclidean", 1)])
def test_classify_gives_one_score(tmp_path: Path, head: str, golden: int) -> None:
    model = classify(head, golden)
    image, reference = picture((32, 64), 1), picture((32, 64), 2)
    second = _planes(reference, IMAGENET_MEAN, IMAGENET_STD)
    second = np.repeat(second[:, None], golden, 1) if golden > 1 else second
    feed = {"input_1": _planes(image, IMAGENET_MEAN, IMAGENET_STD), "input_2": second}
    upstream = run(model, feed, ["output"], "upstream")["output"]
    expected = _softmax(upstream)[:, 1] if head == "learnable" else upstream
    adapted = _adapted(model, tmp_path)
    made = run_once(adapted.model, {"image": image, "reference": reference})
    assert list(made) == ["image_score"]
    np.testing.assert_allclose(made["image_score"], expected, rtol=1e-4)
    declaration = adapted.declaration
    assert (declaration.score.kind, declaration.masking.fill, declaration.masking.post) == ("graph", "reference", False)
    assert any("golden samples" in remark for remark in adapted.remarks) == (golden > 1)
    assert declaration.parameters["golden_samples"] == golden


def test_another_normalisation_changes_the_score(tmp_path: Path) -> None:
    given = {"image": picture((48, 64), 1), "reference": picture((48, 64), 2)}
    maps = [run_once(_adapted(segment(), tmp_path, mean=mean).model, given)["anomaly_map"] for mean in (None, (0.0, 0.0, 0.0))]
    assert np.abs(maps[0] - maps[1]).max() > 1e-2


def test_plugins_are_refused_with_the_export_that_needs_none(tmp_path: Path) -> None:
    model = segment()
    model.graph.node.append(helper.make_node("MultiscaleDeformableAttnPlugin_TRT", ["input0"], ["attention"], domain="nvidia"))
    model.opset_import.append(helper.make_opsetid("nvidia", 1))
    with pytest.raises(BundleError, match=r"MultiscaleDeformableAttnPlugin_TRT: .*export\.on_cpu: true"):
        _adapted(model, tmp_path)


def test_encrypted_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.etlt").write_bytes(b"\x13\x37" * 200)
    with pytest.raises(BundleError, match="encrypted by TAO"):
        read_onnx(tmp_path / "model.etlt")


def test_other_files_are_named_as_what_they_are_not(tmp_path: Path) -> None:
    renamed = segment()
    for node in renamed.graph.node:
        for place, name in enumerate(node.output):
            node.output[place] = "mask" if name == "output_final" else name
    renamed.graph.output[1].name = "mask"
    with pytest.raises(BundleError, match="declare --task"):
        _adapted(renamed, tmp_path)
    assert _adapted(renamed, tmp_path, task="segment").declaration.has_map
    with pytest.raises(BundleError, match="is it --task segment"):
        _adapted(segment(), tmp_path, task="classify")


def test_the_command_writes_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(segment(), tmp_path / "s.onnx")
    assert main(["change_onnx", "--checkpoint", str(path), "--out", str(tmp_path / "s")]) == 0
    assert "1 - P(no change)" in capsys.readouterr().out
    path = saved(classify(), tmp_path / "c.onnx")
    assert main(["change_onnx", "--onnx", str(path), "--out", str(tmp_path / "c"), "--lightings", "2"]) == 0
    manifest = open_bundle(tmp_path / "c").manifest
    assert (manifest.family, manifest.has_map, manifest.parameters["lightings"]) == ("change_onnx", False, 2)
    assert [spec.name for spec in manifest.inputs] == ["image", "reference"]


@pytest.mark.parametrize("words", [["--mean", "1,2"], ["--std", "0,1,1"], ["--lightings", "0"], ["--size", "9"]])
def test_impossible_options_are_bad_use(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(segment(), tmp_path / "s.onnx")
    assert main(["change_onnx", "--checkpoint", str(path), "--out", str(tmp_path / "s"), *words]) == 3
    assert words[0] in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_inspect_tells_the_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["inspect", str(saved(segment(), tmp_path / "s.onnx"))])
    main(["inspect", str(saved(classify(golden=3), tmp_path / "c.onnx"))])
    told = capsys.readouterr().out
    assert "VisualChangeNet, segment" in told
    assert "3 golden samples" in told
