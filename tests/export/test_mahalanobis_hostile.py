"""Checkpoints that somebody broke or forged: an error in one line each, nothing half-written, nothing allocated."""

from __future__ import annotations

import random

import pytest
import torch

from edge.errors import BundleError, ConfigError
from export.__main__ import main
from export.adapters.mahalanobis import fit_image
from export.adapters.mahalanobis_network import embedding_of, read_layout
from export.adapters.mahalanobis_settings import ImageSettings
from export.checkpoint import load_checkpoint
from tests.export.mahalanobis_files import SIDE, good_folder, lilityolyan, runinho, saved, screw

SETTINGS = {"runinho": {}, "lilityolyan": {}, "screw": {"block": "layer4"}}
STATES = {"runinho": runinho, "lilityolyan": lilityolyan, "screw": screw}


def mutated(state, rng):
    """Tensors gone, renamed, of other shapes, turned, doubled or spoilt."""
    result = dict(state)
    for name in rng.sample(sorted(result), rng.randint(1, 4)):
        tensor = result[name]
        match rng.randrange(6):
            case 0:
                del result[name]
            case 1:
                result[f"{name}.old"] = result.pop(name)
            case 2:
                result[name] = torch.zeros([rng.randrange(4) for _ in range(rng.randrange(5))])
            case 3:
                result[name] = tensor.T if tensor.ndim == 2 else tensor.reshape(-1)[:1]
            case 4:
                result[name] = torch.cat([tensor, tensor]) if tensor.ndim else tensor
            case _:
                result[name] = tensor * float("inf") if tensor.is_floating_point() else tensor
    return result


@pytest.mark.parametrize("name", sorted(STATES))
def test_mutated_checkpoints_are_loaded_or_refused_with_a_remedy(name, tmp_path):
    rng = random.Random(11)
    refused = 0
    for _ in range(60):
        path = saved(mutated(STATES[name](), rng), tmp_path / "net.pt")
        try:
            checkpoint = load_checkpoint(path, strip=("module.", "model."))
            layout = read_layout(checkpoint)
            embedding_of(checkpoint, layout, ImageSettings((SIDE, SIDE), **SETTINGS[name]).settled(layout))
        except (BundleError, ConfigError) as error:
            refused += 1
            assert error.remedy
            assert "\n" not in str(error)
    assert refused > 30


def test_truncated_and_flipped_files_are_refused(tmp_path):
    whole = saved(runinho(), tmp_path / "net.pt").read_bytes()
    rng = random.Random(5)
    for _ in range(25):
        cut = bytearray(whole[: rng.randrange(1, len(whole))])
        (tmp_path / "cut.pt").write_bytes(bytes(cut))
        with pytest.raises(BundleError):
            load_checkpoint(tmp_path / "cut.pt")


def test_a_plain_pickle_of_a_lightning_module_runs_nothing(tmp_path, capsys):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path, good = saved({"state_dict": runinho(), "callbacks": Trap()}, tmp_path / "w.ckpt"), good_folder(tmp_path / "good", 5)
    call = ["mahalanobis", "--checkpoint", str(path), "--images", str(good), "--out", str(tmp_path / "b"), "--quiet"]
    assert main(call) == 3
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "b").exists()
    assert "rather than" in (error := capsys.readouterr().err) or "not only weights" in error


def test_a_forged_width_is_refused_before_memory_is_taken(tmp_path):
    state = runinho()
    state["resnet18.layer4.0.conv1.weight"] = torch.zeros(1).expand(1 << 20, 16, 3, 3)
    state["resnet18.layer4.0.conv2.weight"] = torch.zeros(1).expand(16, 1 << 20, 3, 3)
    for name in ("weight", "bias", "running_mean", "running_var"):
        state[f"resnet18.layer4.0.bn1.{name}"] = torch.zeros(1).expand(1 << 20)
    with pytest.raises(BundleError, match="larger than its storage"):
        load_checkpoint(saved(state, tmp_path / "net.pt"))


def test_blocks_that_are_claimed_and_not_held_are_refused(tmp_path):
    state = {name: tensor for name, tensor in runinho().items() if "layer4.0.bn" not in name}
    state |= {f"resnet18.layer4.{place}.conv1.weight": torch.zeros(16, 16, 3, 3) for place in range(1, 200)}
    checkpoint = load_checkpoint(saved(state, tmp_path / "net.pt"))
    layout = read_layout(checkpoint)
    assert layout.resnet.blocks[-1] == 200
    with pytest.raises(BundleError, match=r"tensors are missing|does not hold"):
        embedding_of(checkpoint, layout, ImageSettings((SIDE, SIDE)).settled(layout))


def test_a_head_that_does_not_fit_the_network_is_named(tmp_path):
    state = runinho()
    state["head.0.weight"] = torch.zeros(16, 99)
    checkpoint = load_checkpoint(saved(state, tmp_path / "net.pt"))
    layout = read_layout(checkpoint)
    with pytest.raises(BundleError, match="takes 99 channels"):
        embedding_of(checkpoint, layout, ImageSettings((SIDE, SIDE), embedding="head").settled(layout))


@pytest.mark.parametrize("state", [{}, {"a": 1}, torch.zeros(3), [1, 2]])
def test_what_holds_no_network_is_said(state, tmp_path):
    with pytest.raises(BundleError) as refused:
        fit_image(load_checkpoint(saved(state, tmp_path / "x.pt")), ImageSettings((SIDE, SIDE)), None, "cv2_area")
    assert refused.value.remedy
