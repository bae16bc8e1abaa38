"""Capsule classifiers beside XifengGuo/CapsNet-Pytorch and bakirillov/capsules: checkpoints of their code, their own scores.

    python -m benchmarks.upstream.capsule --upstream /path/to/CapsNet-Pytorch [--imbalanced /path/to/capsules]

The networks are upstream's classes (`.cuda()` shimmed away) for 28 x 28 grey with their own draw of weights, scaled so that
the classes' capsules are neither empty nor full. bakirillov/capsules has the network for imbalanced sets in a notebook; it is
put together here as it is there, of its own layers. Its score is the length of the good capsule less that of the other; the
bundle's, higher is worse, is its negative.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn

from benchmarks.upstream.comparing import Expected, Row, real_images, row, say, upstream_on_path
from benchmarks.upstream.shims import fresh_modules, torchvision, without_cuda
from edge.bundle import Training, open_bundle
from export.adapters.capsule import LICENCE, CapsuleSettings, declaration_of, module_of
from export.checkpoint import load_checkpoint
from export.golden import golden_inputs
from export.module_bundle import write_module_bundle

SIDE = 28


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", type=Path, required=True)
    parser.add_argument("--imbalanced", type=Path)
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--occlusion", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(1)
    cv2.setNumThreads(1)
    torchvision()
    paths = real_images(args.images, "piped/PA_BRG01_RL")
    rows = []
    with without_cuda(), fresh_modules(), upstream_on_path(args.upstream):
        net: Any = importlib.import_module("capsulenet").CapsuleNet([1, SIDE, SIDE], 2, 3).eval()
        _scale(net, net.digitcaps.weight)
        expected = [_expected(path, net(_batch(path))[0][0]) for path in paths]
        rows.append(_row("capsule, dense layout", net, expected, 0))
        bare = [Expected(each.inputs, None, each.score) for each in expected]
        rows.append(_row(f"capsule, {args.occlusion}x{args.occlusion} occlusions", net, bare, args.occlusion))
    if args.imbalanced is not None:
        with without_cuda(), fresh_modules(), upstream_on_path(args.imbalanced):
            layers = importlib.import_module("capsules")
            net = _notebook(layers).eval()
            _scale(net, net.digicaps.W)
            expected = []
            for path in paths:
                batch = _batch(path)
                capsules, made, lengths, _ = net(batch)
                del capsules
                difference, _error = layers.anomaly_scores(lengths.numpy(), batch.flatten(1).numpy(), made.numpy())
                expected.append(Expected({"image": np.asarray(_small(path))[None]}, None, -float(difference[0])))
            rows.append(_row("capsule, convs layout", net, expected, 0))
    say(rows)


def _scale(net: nn.Module, votes: torch.Tensor) -> None:
    """Images of paper give an untrained network nothing: its own draw, enlarged until capsules have lengths of their own."""
    torch.set_grad_enabled(False)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.mul_(2.5)
    votes.mul_(0.1 / votes.std())


def _small(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def _batch(path: Path) -> torch.Tensor:
    """What torchvision's Grayscale, Resize(28), ToTensor give: PIL's resize, 0..1."""
    return torch.from_numpy(np.asarray(_small(path).convert("L"), np.float32)[None, None] / 255)


def _expected(path: Path, lengths: torch.Tensor) -> Expected:
    return Expected({"image": np.asarray(_small(path))[None]}, None, float(lengths[1] - lengths[0]))


def _notebook(layers: Any) -> nn.Module:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Sequential(nn.Conv2d(1, 256, 9, 1), nn.ReLU())
            self.primcaps = layers.PrimaryCapsuleLayer()
            self.digicaps = layers.SecondaryCapsuleLayer(n_capsules=2, cuda=False)
            self.decoder = layers.RegularizingDecoder(dims=[32, 512, 1024, SIDE * SIDE])

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            internal = self.digicaps(self.primcaps(self.conv(x)))
            lengths = (internal**2).sum(dim=-1) ** 0.5
            place = lengths.argmax(-1)
            masked = torch.eye(2).index_select(0, place)
            return internal, self.decoder((internal * masked[:, :, None]).reshape(x.size(0), -1)), lengths, place

    return Net()


def _row(family: str, net: nn.Module, expected: list[Expected], occlusion: int) -> Row:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "epoch1.pkl"
        torch.save(net.state_dict(), file)
        settings = CapsuleSettings(good=0, side=SIDE, occlusion=occlusion)
        ours = module_of(load_checkpoint(file), settings)
        declared = declaration_of(ours, settings, Training(), "benchmarks.upstream.capsule")
        out = Path(scratch) / "bundle"
        write_module_bundle(out, ours, declared, golden_inputs(declared, None, 1), LICENCE)
        return row(family, open_bundle(out), ours, expected)


if __name__ == "__main__":
    main()
