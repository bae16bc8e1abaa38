"""Checkpoints that somebody has changed, swapped or taken for another family's: an error in one line each, nothing written."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle import open_bundle
from edge.errors import BundleError, LineclearError
from export.__main__ import main
from export.adapters.bit_network import read_bit
from export.adapters.ddad_networks import read_ddad
from export.adapters.ddad_settings import DdadSettings
from export.adapters.draem import load_draem
from export.checkpoint import load_checkpoint
from export.nets.draem import Discriminative, Reconstructive
from export.recognising import FAMILIES, recognise
from tests.export.mahalanobis_files import good_folder, runinho
from tests.export.networks import KEYS, keys_of, randomised
from tests.export.test_bit_nets import small_net
from tests.export.test_ddad import EXTRACTOR, SHAPE
from tests.export.test_reconstruction_mutations import FAMILIES as RECONSTRUCTIONS
from tests.export.test_reconstruction_mutations import SPEC, State, mutated

MUTATIONS = 60
PARTS = ("draem", "draem second", "bit", "ddad", "ddad features")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small checkpoint of every family."""
    from export.nets.ddad_unet import DenoisingUNet
    from export.nets.resnet import Resnet

    folder = tmp_path_factory.mktemp("checkpoints")
    states: dict[str, object] = {
        "draem": randomised(Reconstructive(2)).state_dict(),
        "draem second": randomised(Discriminative(2)).state_dict(),
        "bit": {"model_G_state_dict": small_net().state_dict()},
        "ddad": randomised(DenoisingUNet(SHAPE)).state_dict(),
        "ddad features": randomised(Resnet(EXTRACTOR)).state_dict(),
        "mahalanobis": runinho(),
        **{name: checkpoint.state for name, (checkpoint, _) in RECONSTRUCTIONS.items()},
    }
    for name, state in states.items():
        torch.save(dict(state), folder / f"{name}.pt")  # type: ignore[call-overload]
    return {name: folder / f"{name}.pt" for name in states}


def _load(name: str, path: Path, files: dict[str, Path]) -> object:
    match name:
        case "draem":
            return load_draem(path, files["draem second"])
        case "draem second":
            return load_draem(files["draem"], path)
        case "bit":
            return read_bit(path)
    unet, features = (path if name == part else files[part] for part in ("ddad", "ddad features"))
    return read_ddad(load_checkpoint(unet), load_checkpoint(features), DdadSettings(weight=4))


def _saved(name: str, state: State, path: Path) -> Path:
    torch.save({"model_G_state_dict": state} if name == "bit" else state, path)
    return path


@pytest.mark.parametrize("name", PARTS)
def test_a_changed_checkpoint_is_refused_in_words(name: str, files: dict[str, Path], tmp_path: Path) -> None:
    whole = torch.load(files[name], weights_only=True)
    state = whole.get("model_G_state_dict", whole)
    assert _load(name, files[name], files) is not None
    rng, refused = random.Random(name), 0
    for _ in range(MUTATIONS):
        path = _saved(name, mutated(state, rng), tmp_path / "changed.pt")
        try:
            _load(name, path, files)
        except LineclearError as error:
            refused += 1
            assert error.remedy
            assert "\n" not in str(error)
            assert len(str(error)) < 1000
    # What is not used (a block of the extractor behind the last feature) may say what it likes.
    assert refused >= MUTATIONS * 3 // 4


@pytest.mark.parametrize("name", PARTS)
def test_a_file_that_ends_early_is_refused(name: str, files: dict[str, Path], tmp_path: Path) -> None:
    data, rng = files[name].read_bytes(), random.Random(name)
    for _ in range(20):
        cut = tmp_path / "cut.pt"
        cut.write_bytes(data[: rng.randrange(len(data))])
        with pytest.raises(BundleError, match=r"cut\.pt"):
            _load(name, cut, files)


@pytest.mark.parametrize("width", [0, 60_000])
def test_draem_takes_no_memory_for_a_width_that_the_file_does_not_hold(
    width: int, files: dict[str, Path], tmp_path: Path
) -> None:
    state = torch.load(files["draem"], weights_only=True)
    state["encoder.block1.0.weight"] = torch.zeros(width, 3, 3, 3)
    with pytest.raises(BundleError, match=r"does not hold them|cannot be|do not fit"):
        load_draem(_saved("draem", state, tmp_path / "wide.pt"), files["draem second"])


def _calls(folder: Path) -> dict[str, Callable[[Path], list[str]]]:
    spec = folder / "spec.yaml"
    spec.write_text(str(SPEC).replace("'", '"'))
    second = str(folder / "second.pt")
    return {
        "draem": lambda path: ["--checkpoint", str(path), "--segmentation", second],
        "ddad": lambda path: ["--checkpoint", str(path), "--features", second, "--w", "4", "--quiet"],
        "bit": lambda path: ["--checkpoint", str(path), "--size", "64", "--quiet"],
        "vt_adl": lambda path: ["--checkpoint", str(path), "--density", second],
        "piade": lambda path: ["--checkpoint", str(path), "--vgg", second],
        "capsule": lambda path: ["--checkpoint", str(path), "--good", "0"],
        "autoencoder": lambda path: ["--checkpoint", str(path), "--spec", str(spec)],
    }


@pytest.mark.parametrize("family", ["draem", "ddad", "bit", "vt_adl", "piade", "capsule", "autoencoder"])
def test_every_other_familys_checkpoint_is_refused_in_one_line(
    family: str, files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"x": torch.zeros(1)}, tmp_path / "second.pt")
    out = tmp_path / "out"
    for name, path in files.items():
        if name == family:
            continue
        assert main([family, *_calls(tmp_path)[family](path), "--out", str(out)]) == 3, name
        said = capsys.readouterr().err
        assert said.startswith("lineclear-export: ")
        assert said.count("\n") == 1, said
        assert path.name in said, said
        assert not out.exists()


@pytest.mark.parametrize("family", ["draem", "ddad", "bit", "vt_adl", "piade", "capsule", "autoencoder"])
def test_a_file_that_is_not_there_is_named(family: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"x": torch.zeros(1)}, tmp_path / "second.pt")
    missing = tmp_path / "none.pt"
    assert main([family, *_calls(tmp_path)[family](missing), "--out", str(tmp_path / "out")]) == 3
    assert "none.pt" in capsys.readouterr().err


_STORED = {
    (path.stem, part): keys_of(path.stem, part) for path in sorted(KEYS.glob("*.json")) for part in json.loads(path.read_text())
}


@pytest.mark.parametrize("stored", sorted(_STORED), ids="/".join)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_card_trips_over_any_shapes(stored: tuple[str, str], data: st.DataObject) -> None:
    shapes = dict(_STORED[stored])
    side = st.sampled_from([0, 1, 2, 3, 7, 64, 10**9])
    for name in data.draw(st.lists(st.sampled_from(sorted(shapes)), max_size=6)):
        if data.draw(st.booleans()):
            shapes.pop(name, None)
        else:
            shapes[name] = tuple(data.draw(st.lists(side, max_size=5)))
    for found in recognise(shapes):
        assert found.family in ("ddads", "draem of anomalib", *FAMILIES)
        assert found.facts
        assert "FILE" in found.command or "not usable" in found.command


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--w", "nan"], "--w: Input should be a finite number"),
        (["--w", "4", "--v", "-1"], "--v: "),
        (["--w", "4", "--beta", "2", "1"], "--beta: "),
        (["--w", "4", "--trajectory", "0"], "--trajectory: "),
        (["--w", "4", "--noise-seed", "-1"], "--noise-seed: "),
    ],
)
def test_a_wrong_value_is_named_as_the_option_it_was_given_with(
    options: list[str], said: str, files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["ddad", "--checkpoint", str(files["ddad"]), "--features", str(files["ddad features"])]
    assert main([*call, *options, "--out", str(tmp_path / "b"), "--quiet"]) == 3
    assert capsys.readouterr().err.startswith(f"lineclear-export: {said}")


@pytest.mark.parametrize("family", ["draem", "bit", "capsule", "autoencoder", "mahalanobis"])
def test_without_float16_it_says_so(
    family: str, files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = _calls(tmp_path)
    good = str(good_folder(tmp_path / "good", 5))
    calls["draem"] = lambda path: ["--checkpoint", str(path), "--segmentation", str(files["draem second"]), "--size", "32"]
    calls["mahalanobis"] = lambda path: ["--checkpoint", str(path), "--images", good, "--size", "64", "--quiet"]
    out = tmp_path / "b"
    assert main([family, *calls[family](files[family]), "--float32-only", "--out", str(out)]) == 0
    assert "float32 only" in capsys.readouterr().out
    bundle = open_bundle(out)
    assert "model.fp16.onnx" not in bundle.manifest.files
    assert "half_share" not in bundle.manifest.parameters


@pytest.mark.parametrize("family", ["draem", "ddad", "bit", "vt_adl", "piade", "capsule", "autoencoder", "mahalanobis"])
def test_every_family_has_the_same_three_options(family: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([family, "--help"])
    shown = capsys.readouterr().out
    assert {option for option in ("--golden", "--trained-on", "--float32-only", "--out") if option not in shown} == set()
    assert max(map(len, shown.splitlines())) <= 128


def test_a_place_that_cannot_be_written_is_named(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    call = ["capsule", "--checkpoint", str(files["capsule"]), "--good", "0", "--out"]
    for place in (tmp_path / "file", tmp_path / "file" / "b"):
        assert main([*call, str(place)]) == 3
        assert str(place) in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
