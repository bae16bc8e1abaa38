from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from edge.errors import BundleError
from export.__main__ import COMMANDS, build_parser, main
from export.adapters.comparison import write_comparison
from export.adapters.comparison_model import ComparisonSettings
from export.inspecting import examine
from export.nets.draem import Discriminative, Reconstructive
from export.onnx_description import describe_onnx
from export.recognising import FAMILIES, Recognised, nearest, recognise

torch.set_num_threads(1)


def _model(external: bool = False, domain: str = "") -> onnx.ModelProto:
    weight = numpy_helper.from_array(np.zeros((4, 3), np.float32), "w")
    if external:
        onnx.external_data_helper.set_external_data(weight, "stolen.data")
        weight.ClearField("raw_data")
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 4])
    made = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 3])
    node = helper.make_node("MatMul" if not domain else "Strange", ["input", "w"], ["output"], domain=domain)
    graph = helper.make_graph([node], "g", [given], [made], [weight])
    domains = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    model = helper.make_model(graph, opset_imports=domains, producer_name="someone", producer_version="1.2")
    helper.set_model_props(model, {"task": "segment"})
    return model


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(_model().SerializeToString())
    return path


def test_an_onnx_file_is_described(onnx_file: Path) -> None:
    found = describe_onnx(onnx_file)
    assert (found.opset, found.producer, found.elements) == (17, "someone 1.2", 12)
    assert [str(port) for port in found.inputs] == ["input: float32 [batch, 4]"]
    assert [str(port) for port in found.outputs] == ["output: float32 [batch, 3]"]
    assert found.operators == {"MatMul": 1}
    assert found.metadata == {"task": "segment"}
    text = examine(onnx_file).text()
    for part in ("an ONNX file", "someone 1.2", "float32 [batch, 4]", "1: 1 MatMul", "task=segment", "lineclear-export onnx"):
        assert part in text


def test_an_onnx_file_is_known_by_its_content_too(onnx_file: Path) -> None:
    assert examine(onnx_file.rename(onnx_file.with_name("model"))).kind == "an ONNX file"


def test_weights_and_operators_that_are_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_model(external=True, domain="nvidia").SerializeToString())
    facts = examine(path).facts
    assert facts["weights_in"] == ["stolen.data"]
    assert facts["operators_of_others"] == "nvidia"


def test_an_onnx_file_that_is_none(tmp_path: Path, onnx_file: Path) -> None:
    for data in (b"\x08", b"nothing", onnx_file.read_bytes()[:40], b"\xff" * 100):
        path = tmp_path / "bad.onnx"
        path.write_bytes(data)
        with pytest.raises(BundleError, match="is no ONNX file"):
            examine(path)


def test_mutated_onnx_files_give_an_error_or_a_description(tmp_path: Path, onnx_file: Path) -> None:
    whole = onnx_file.read_bytes()
    random_ = random.Random(3)
    path = tmp_path / "mutated.onnx"
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(random_.choice((1, 3, 9))):
            data[random_.randrange(len(data))] = random_.randrange(256)
        path.write_bytes(bytes(data))
        try:
            text = examine(path).text()
        except BundleError:
            continue
        assert "\x1b" not in text


@pytest.fixture
def halves(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "x_.pckl", tmp_path / "x__seg.pckl"
    torch.save(Reconstructive(4).state_dict(), first)
    torch.save({f"module.{name}": tensor for name, tensor in Discriminative(2).state_dict().items()}, second)
    return first, second


def test_a_checkpoint_is_recognised(halves: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(halves[0])]) == 0
    said = capsys.readouterr().out
    for part in (
        "a checkpoint of torch",
        "tensors: 156",
        "family: draem",
        "reconstructive half",
        "base width 4",
        "you must say",
    ):
        assert part in said
    assert f"lineclear-export draem --checkpoint {halves[0]}" in said


def test_for_a_program(halves: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(halves[1]), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["kind"] == "a checkpoint of torch"
    (family,) = document["families"]
    assert family["family"] == "draem"
    assert "base width 2" in family["facts"]
    assert document["parameters"] == sum(tensor.numel() for tensor in Discriminative(2).state_dict().values())


def test_nothing_recognised(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"some.weight": torch.zeros(3, 2)}, path)
    advice = examine(path).advice
    assert "no family here has such tensors" in advice
    assert "some.weight [3, 2]" in advice


def test_the_nearest_family_and_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    state = {name: tensor for name, tensor in Reconstructive(4).state_dict().items() if not name.startswith("decoder")}
    torch.save(state, path)
    advice = examine(path).advice
    assert "the nearest is draem" in advice
    assert "decoder.up1.1.weight" in advice


def test_several_families_take_it(halves: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    twins = tuple(Recognised(name, ("x",), (), f"lineclear-export {name} FILE") for name in ("one", "two"))
    monkeypatch.setattr("export.inspecting.recognise", lambda _: twins)
    finding = examine(halves[0])
    assert "several families" in finding.advice
    assert "one, two" in finding.advice


def test_anomalibs_draem_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    state = Reconstructive(4).state_dict()
    torch.save({f"model.reconstructive_subnetwork.{name}": tensor for name, tensor in state.items()}, path)
    text = examine(path).text()
    assert "draem of anomalib" in text
    assert "RGB instead of BGR" in text


class _LightningModule:
    pass


def test_a_lightning_checkpoint_is_sent_to_onnx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.ckpt"
    _LightningModule.__module__ = "anomalib.models"
    _LightningModule.__qualname__ = "Patchcore"
    package, module = type(sys)("anomalib"), type(sys)("anomalib.models")
    module.Patchcore = _LightningModule  # type: ignore[attr-defined]
    sys.modules |= {"anomalib": package, "anomalib.models": module}
    try:
        torch.save({"state_dict": {"a": torch.zeros(1)}, "model": _LightningModule()}, path)
    finally:
        del sys.modules["anomalib"], sys.modules["anomalib.models"]
    assert main(["inspect", str(path)]) == 3
    said = capsys.readouterr().err
    assert "anomalib.models.Patchcore" in said
    assert "export it to ONNX" in said


@pytest.mark.parametrize("name", ["b", "b.zip"])
def test_a_bundle(tmp_path: Path, name: str) -> None:
    bundle = write_comparison(tmp_path / name, (64, 48), ComparisonSettings(), "a test")
    finding = examine(tmp_path / name)
    assert finding.kind == "a bundle, verified"
    assert finding.facts["name"] == bundle.name
    assert finding.facts["size"] == "64x48"
    assert json.loads(json.dumps(finding.document()))["family"] == "comparison"


def test_a_name_from_a_file_cannot_paint_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"\x1b[31mred\nline": torch.zeros(3)}, path)
    text = examine(path).text()
    assert "\x1b" not in text
    assert "red" in text


def test_cards_answer_to_anything() -> None:
    for shapes in ({}, {"": ()}, {"conv1.weight": (1,)}, {"encoder.block1.0.weight": ()}):
        assert isinstance(recognise(shapes), tuple)
        nearest(shapes)


def test_every_family_has_a_command() -> None:
    assert set(FAMILIES) < set(COMMANDS)


def test_looking_needs_no_torch(halves: tuple[Path, Path]) -> None:
    script = (
        "import sys; sys.modules['torch'] = None; from export.__main__ import main; sys.exit(main(['inspect', sys.argv[1]]))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(halves[0])], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "family: draem" in done.stdout


def test_without_torch_a_family_says_what_to_install(halves: tuple[Path, Path], tmp_path: Path) -> None:
    script = "import sys; sys.modules['torch'] = None; from export.__main__ import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["draem", "--checkpoint", str(halves[0]), "--out", str(tmp_path / "b")]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "the package torch is not installed" in done.stderr
    assert "lineclear[export]" in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_loads_neither_torch_nor_onnx() -> None:
    script = (
        "import sys; from export.__main__ import build_parser; build_parser().format_help()\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'onnx', 'onnxruntime', 'cv2')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_every_command_says_what_it_does() -> None:
    commands = build_parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    assert {"draem", "variation", "comparison", "inspect"} <= set(commands)  # type: ignore[arg-type]
    for command in commands.values():  # type: ignore[union-attr]
        page = command.format_help()
        assert "exit status:" in page
        assert f"lineclear-export {command.prog.split()[-1]}" in page
