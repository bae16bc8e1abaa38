"""The four commands as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from edge.bundle import open_bundle
from export.__main__ import main
from export.nets.capsule import CapsuleNet
from export.nets.capsule_shape import CapsuleShape
from export.nets.piade import Perception, Pyramid
from tests.export.networks import randomised
from tests.export.test_piade import SMALL as PIADE

BARE = CapsuleShape("convs", 20, 3, 4, 5, 2, 5, 4, 72, 2, 4, ())


@pytest.fixture
def piade(tmp_path: Path) -> list[str]:
    torch.save(randomised(Pyramid(PIADE)).state_dict(), tmp_path / "p.pt")
    torch.save(randomised(Perception(4, 6)).state_dict(), tmp_path / "vgg.pth")
    return ["piade", "--checkpoint", str(tmp_path / "p.pt"), "--vgg", str(tmp_path / "vgg.pth")]


@pytest.fixture
def capsule(tmp_path: Path) -> list[str]:
    torch.save(randomised(CapsuleNet(BARE)).state_dict(), tmp_path / "c.pkl")
    return ["capsule", "--checkpoint", str(tmp_path / "c.pkl"), "--good", "0"]


@pytest.mark.parametrize("command", ["vt_adl", "piade", "capsule", "autoencoder"])
def test_the_help_names_files_and_costs(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "--checkpoint FILE" in shown
    assert "examples:" in shown


def test_the_factory_is_announced_as_running_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["autoencoder", "--help"])
    assert "THIS RUNS THAT CODE" in capsys.readouterr().out


def test_piade_writes_a_bundle_without_a_map(piade: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*piade, "--out", str(tmp_path / "whole.zip"), "--whole"]) == 0
    assert "120x120" in capsys.readouterr().out
    manifest = open_bundle(tmp_path / "whole.zip").manifest
    assert manifest.crop is None
    assert not manifest.has_map
    assert manifest.parameters["score"] == "mse - ssim + perceptual"


def test_a_training_folder_without_images_is_refused(
    piade: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main([*piade, "--out", str(tmp_path / "out"), "--trained-on", str(tmp_path / "empty")]) == 3
    assert "empty" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_size_must_be_said_where_no_decoder_says_it(
    capsule: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*capsule, "--out", str(tmp_path / "out")]) == 3
    assert "--size: the checkpoint does not say the image's side: write 19 or 20" in capsys.readouterr().err
    assert main([*capsule, "--out", str(tmp_path / "out"), "--size", "20", "--resize", "cv2_area", "--occlusion", "2"]) == 0
    assert "5 passes of the network per frame" in capsys.readouterr().out
    manifest = open_bundle(tmp_path / "out").manifest
    assert manifest.resize.kernel == "cv2_area"
    assert manifest.has_map


def test_inspect_says_what_must_be_declared(capsule: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", capsule[2], "--json"]) == 0
    (family,) = json.loads(capsys.readouterr().out)["families"]
    assert family["family"] == "capsule"
    assert "--size: 19 or 20" in family["declare"]


def test_a_truncated_file_leaves_nothing(capsule: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(capsule[2])
    path.write_bytes(path.read_bytes()[:-200])
    assert main([*capsule, "--size", "20", "--out", str(tmp_path / "out")]) == 3
    assert "c.pkl" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_pickled_module_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.ptch")
    call = ["capsule", "--checkpoint", str(tmp_path / "whole.ptch"), "--good", "0", "--out", str(tmp_path / "out")]
    assert main(call) == 3
    assert "whole.ptch" in capsys.readouterr().err
