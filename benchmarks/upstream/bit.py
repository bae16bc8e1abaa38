"""BIT beside justchenhao/BIT_CD: checkpoints that its code writes, its own loader, network and softmax on the same pairs.

    python -m benchmarks.upstream.bit --upstream /path/to/BIT_CD --packages /path/to/pkgs [--variant NAME]
                                      [--size 256] [--images 2] [--record]

--packages holds what upstream imports (torchvision, einops, timm, ...), put there with pip install --no-deps --target. Pairs:
shared/data/gear. --record prints what tests/export/test_bit.py holds against our network, instead.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.upstream.comparing import DATA, Expected, Row, randomise, rgb, row, say
from benchmarks.upstream.formula import picture, weights
from benchmarks.upstream.imports import refuse_download, stand_in, upstream_modules, without_pretraining
from edge.bundle import Training
from edge.registration.resampling import resize
from export.adapters.bit import BitSettings, declaration, write_bit
from export.adapters.bit_network import read_bit

PAIRS = DATA / "gear" / "Dataset_ROBOFLOW_augmented"
VARIANTS = (
    "base_resnet18",
    "base_transformer_pos_s4",
    "base_transformer_pos_s4_dd8",
    "base_transformer_pos_s4_dd8_dedim8",
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", type=Path, required=True)
    parser.add_argument("--packages", type=Path, help="where upstream's requirements are")
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="default: all")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(2)
    networks, loader = _upstream(args.upstream, args.packages)
    variants = args.variant or VARIANTS
    if args.record:
        for variant in variants:
            print(variant, _recorded(_network(networks, variant)))
        return
    say([_against(networks, loader, variant, args.size, args.images) for variant in variants])


def _upstream(folder: Path, packages: Path | None) -> tuple[ModuleType, ModuleType]:
    stand_in("torchvision.models.utils", load_state_dict_from_url=refuse_download)
    (backbone,) = upstream_modules(folder, ["models.resnet"], packages)
    vars(backbone)["_resnet"] = without_pretraining(vars(backbone)["_resnet"])
    networks, loader = upstream_modules(folder, ["models.networks", "datasets.data_utils"])
    return networks, loader


def _network(networks: ModuleType, variant: str) -> nn.Module:
    net: nn.Module = networks.define_G(SimpleNamespace(net_G=variant), gpu_ids=[])
    return net.eval()


def _against(networks: ModuleType, loader: ModuleType, variant: str, size: int, images: int) -> Row:
    net = _sane(_network(networks, variant))
    names = sorted(path.name for path in (PAIRS / "A").iterdir())[:images]
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = Path(scratch) / "best_ckpt.pt"
        _save(net, checkpoint)
        model = read_bit(checkpoint)
        declared = declaration(model, BitSettings(size_wh=(size, size)), "benchmarks.upstream.bit", Training())
        bundle = write_bit(Path(scratch) / "bundle", model, declared, PAIRS / "B")
        augmentation = loader.CDDataAugmentation(img_size=size)
        expected = [_expected(net, augmentation, name, size) for name in names]
        return row(f"bit {variant}", bundle, model.module, expected)


def _sane(net: nn.Module) -> nn.Module:
    """As a trained one is: residuals add little, logits do not saturate."""
    randomise(net, 1)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if name.startswith("resnet.") and name.endswith("bn2.weight"):
                tensor.fill_(0.2)
    return net


def _save(net: nn.Module, path: Path) -> None:
    """As upstream's trainer does: the optimiser beside the weights, and an accuracy that is numpy's."""
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda epoch: 1 - epoch / 201)
    content = {
        "epoch_id": 3,
        "best_val_acc": np.float64(0.8371),
        "best_epoch_id": 3,
        "model_G_state_dict": net.state_dict(),
        "optimizer_G_state_dict": optimiser.state_dict(),
        "exp_lr_scheduler_G_state_dict": {key: value for key, value in schedule.state_dict().items() if key != "lr_lambdas"},
    }
    torch.save(content, path)


def _expected(net: nn.Module, augmentation: Any, name: str, size: int) -> Expected:
    """Upstream's own loading of a pair (PIL, bicubic), and the softmax behind its argmax; it has no score for an image."""
    from PIL import Image

    pair = [np.asarray(Image.open(PAIRS / side / name).convert("RGB")) for side in "AB"]
    (before, after), _ = augmentation.transform(pair, [], to_tensor=True)
    probability = _probability(net, before[None], after[None])
    inputs = {
        key: resize(rgb(PAIRS / side / name), (size, size), "antialiased_bicubic")[None]
        for key, side in (("image", "B"), ("reference", "A"))
    }
    return Expected(inputs, probability, None)


def _probability(net: nn.Module, before: Tensor, after: Tensor) -> np.ndarray:
    with torch.no_grad():
        logits = net(before, after)
        logits = logits[-1] if isinstance(logits, (list, tuple)) else logits
        result: np.ndarray = torch.softmax(logits, 1)[0, 1].numpy()
    return result


def _recorded(net: nn.Module) -> list[float]:
    net.load_state_dict(weights({name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}))
    before, after = (
        (torch.from_numpy(picture(name, 64)).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5 for name in ("before", "after")
    )
    return [round(float(value), 6) for value in _probability(net, before, after)[::16, ::16].ravel()]


if __name__ == "__main__":
    main()
