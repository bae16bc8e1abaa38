"""Any ONNX with a manifest: the template is complete, each mistake is named with its key, what is declared is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from onnx import TensorProto

from edge.bundle import Training, open_bundle
from edge.errors import ConfigError
from edge.schema import load_yaml
from export.__main__ import main
from export.adapters.onnx_any import adapt
from export.adapters.onnx_any_manifest import OnnxManifest, template
from export.onnx_surgery.reading import read_onnx
from export.proof import run_once
from tests.export.onnx_files import Net, picture, saved

SIZE = (40, 32)


def _mean_net(layout: str = "nchw", channels: int = 3, kind: int = TensorProto.FLOAT) -> Any:
    """The map is a weighted mean over the channels, so that order and normalisation show; the score its mean."""
    net = Net()
    shape = (1, channels, 32, 40) if layout == "nchw" else (1, 32, 40, channels)
    given = net.takes("frames:0", shape, kind)
    if kind != TensorProto.FLOAT:
        given = net.add("Cast", given, to=TensorProto.FLOAT)
    axis = 1 if layout == "nchw" else 3
    weights = np.arange(1, channels + 1).reshape((1, channels, 1, 1) if layout == "nchw" else (1, 1, 1, channels))
    weighed = net.add("Mul", given, net.const(weights))
    net.add("ReduceSum", weighed, net.const([axis], "int64"), name="map", keepdims=1)
    net.add("ReduceMean", "map", name="score", keepdims=0)
    net.gives("map", (1, 1, 32, 40) if layout == "nchw" else (1, 32, 40, 1))
    net.gives("score", ())
    return net.model(17)


def _manifest(**changes: Any) -> dict[str, Any]:
    image = {"name": "frames:0", "takes": "image", "colour": "rgb", "scale": 255, "mean": [0, 0, 0], "std": [1, 1, 1]}
    output = {"name": "map", "gives": "anomaly_map", "activation": "none", "higher": "worse"}
    whole = {
        "schema": 1, "size_wh": list(SIZE), "resize": "cv2_area", "score": {"kind": "max", "window": 1}, "licence": "mine",
        "inputs": [{**image, **changes.pop("image", {})}], "outputs": [{**output, **changes.pop("output", {})}],
    }  # fmt: skip
    return {**whole, **changes}


def _made(model: Any, manifest: dict[str, Any], folder: Path, image: Any) -> dict[str, Any]:
    path = saved(model, folder / "net.onnx")
    (folder / "m.yaml").write_text(yaml.safe_dump(manifest))
    graph, _ = adapt(read_onnx(path), load_yaml(OnnxManifest, folder / "m.yaml"), Training(), "tests", "m.yaml")
    return dict(run_once(graph, {"image": image}))


def _refused(manifest: dict[str, Any], folder: Path, model: Any = None) -> str:
    with pytest.raises(ConfigError) as caught:
        _made(model or _mean_net(), manifest, folder, picture(SIZE))
    return str(caught.value)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_colour_range_and_layout_are_as_declared(tmp_path: Path, layout: str, colour: str) -> None:
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.25, 2.0]
    entry = {"colour": colour, "mean": mean, "std": std, "layout": layout}
    image = picture(SIZE)
    made = _made(_mean_net(layout), _manifest(image=entry, output={"layout": layout}), tmp_path, image)["anomaly_map"]
    ordered = image[..., ::-1] if colour == "bgr" else image
    values = (ordered.astype(np.float32) / 255 - np.float32(mean)) / np.float32(std)
    np.testing.assert_allclose(made, (values * [1, 2, 3]).sum(-1), rtol=1e-5, atol=1e-5)


def test_grey_is_opencvs(tmp_path: Path) -> None:
    image = picture(SIZE)
    entry = {"colour": "grey", "scale": 1, "mean": [0], "std": [1]}
    made = _made(_mean_net(channels=1), _manifest(image=entry), tmp_path, image)["anomaly_map"]
    assert np.abs(made[0] - cv2.cvtColor(image[0], cv2.COLOR_RGB2GRAY)).max() <= 1
    assert np.mean(made[0] == cv2.cvtColor(image[0], cv2.COLOR_RGB2GRAY)) > 0.99


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_inputs_of_other_types(tmp_path: Path, kind: int) -> None:
    made = _made(_mean_net(kind=kind), _manifest(image={"scale": 1}), tmp_path, picture(SIZE))["anomaly_map"]
    np.testing.assert_allclose(made, (picture(SIZE).astype(np.float32) * [1, 2, 3]).sum(-1), rtol=1e-3)


def test_lower_is_worse_turns_the_sign_and_sigmoid_is_applied(tmp_path: Path) -> None:
    plain = _made(_mean_net(), _manifest(), tmp_path, picture(SIZE))["anomaly_map"]
    turned = _made(_mean_net(), _manifest(output={"higher": "better", "activation": "sigmoid"}), tmp_path, picture(SIZE))
    np.testing.assert_allclose(turned["anomaly_map"], -1 / (1 + np.exp(-plain)), rtol=1e-5)


def test_a_score_alone(tmp_path: Path) -> None:
    output = {"name": "score", "gives": "image_score"}
    manifest = _manifest(output=output, score={"kind": "graph", "window": 1}, masked="nothing")
    assert list(_made(_mean_net(), manifest, tmp_path, picture(SIZE))) == ["image_score"]


def test_the_template_is_complete_once_filled_in(tmp_path: Path) -> None:
    path = saved(_mean_net(), tmp_path / "net.onnx")
    text = template(read_onnx(path))
    assert text.count("TODO") > 8
    answers = {
        "resize": "cv2_area", "kind": "max", "licence": "mine", "colour": "rgb", "scale": "255", "mean": "[0, 0, 0]",
        "std": "[1, 1, 1]", "activation": "none", "higher": "worse",
    }  # fmt: skip
    lines, gives = [], iter(("anomaly_map", "image_score"))
    for line in text.splitlines():
        key = line.strip(" -").partition(":")[0]
        lines.append(line.replace("TODO", next(gives) if key == "gives" else answers.get(key, "TODO"), 1))
    (tmp_path / "m.yaml").write_text("\n".join(lines))
    manifest = load_yaml(OnnxManifest, tmp_path / "m.yaml")
    assert manifest.size_wh == SIZE
    assert [each.name for each in manifest.outputs] == ["map", "score"]


def test_an_unanswered_template_names_every_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, manifest = str(saved(_mean_net(), tmp_path / "net.onnx")), str(tmp_path / "m.yaml")
    assert main(["onnx", "--checkpoint", path, "--template", manifest]) == 0
    assert main(["onnx", "--checkpoint", path, "--manifest", manifest, "--out", str(tmp_path / "b")]) == 3
    told = capsys.readouterr().err
    for key in ("resize", "score.kind", "inputs.0.colour", "inputs.0.scale", "inputs.0.mean", "outputs.0.higher"):
        assert f": {key}: " in told
    assert main(["onnx", "--checkpoint", path, "--template", manifest]) == 3
    assert main(["onnx", "--checkpoint", path, "--manifest", manifest]) == 3
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": {"name": "other"}}, "inputs.0.name: the file has no input 'other': it has frames:0"),
        ({"output": {"name": "other"}}, "outputs.0.name: the file has no output 'other': it has map, score"),
        ({"image": {"colour": None}}, "colour: missing"),
        ({"image": {"mean": [0, 0]}}, "mean: has 2 numbers: write 3"),
        ({"image": {"std": [0, 1, 1]}}, "std: must be above 0"),
        ({"image": {"takes": "reference"}}, "none takes image"),
        ({"image": {"layout": "nhwc"}}, "inputs.0: the file's 'frames:0' is 1x3x32x40"),
        ({"size_wh": [64, 32]}, "inputs.0: the file's 'frames:0' is 1x3x32x40; size_wh, layout and colour say 1x3x32x64"),
        ({"output": {"channel": 1}}, "channel 1 is named"),
        ({"output": {"activation": "softmax"}}, "its softmax is always 1"),
        ({"output": {"gives": "image_score"}}, "score.kind: max needs an output that gives anomaly_map"),
        ({"score": {"kind": "graph", "window": 1}}, "graph needs an output that gives image_score"),
        ({"output": {"name": "score"}}, "no map"),
        ({"colour": "rgb"}, "colour: unknown key"),
        ({"licence": "TODO"}, "licence: missing"),
        ({"outputs": []}, "outputs: none is named"),
    ],
)
def test_a_mistake_is_named_with_its_key(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    assert words in _refused(_manifest(**changes), tmp_path)


@pytest.mark.parametrize("number", ["0x" + "f" * 5000, "1" * 5000, ".inf", "1e999"])
def test_absurd_numbers_are_a_mistake_and_no_crash(tmp_path: Path, number: str) -> None:
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(_manifest()).replace("255", number))
    with pytest.raises(ConfigError):
        load_yaml(OnnxManifest, tmp_path / "m.yaml")


def test_the_command_writes_a_bundle(tmp_path: Path) -> None:
    path = saved(_mean_net(), tmp_path / "net.onnx")
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(_manifest()))
    words = ["onnx", "--checkpoint", str(path), "--manifest", str(tmp_path / "m.yaml"), "--out", str(tmp_path / "b")]
    assert main(words) == 0
    bundle = open_bundle(tmp_path / "b")
    assert bundle.manifest.family == "onnx"
    assert bundle.licence() == "mine\n"
    assert "left out" in str(bundle.manifest.parameters["float16"])
