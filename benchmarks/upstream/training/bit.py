"""BIT's siamese network, narrow: the view's reference, and another good frame with something on it. Saved as BIT_CD saves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from benchmarks.upstream.training import synthetic
from benchmarks.upstream.training.clock import Clock
from benchmarks.upstream.training.frames import good_frames, textures
from benchmarks.upstream.training.tensors import batch, labels, place, shaken
from export.nets.bit import Bit
from export.nets.bit_shape import BitShape
from export.nets.resnet_shape import ResnetShape

STEM, SIDE, BATCH = 24, 128, 8
WIDTHS = (STEM, 2 * STEM, 4 * STEM, 8 * STEM)
SHAPE = BitShape(ResnetShape(STEM, (2, 2, 2, 2), WIDTHS, WIDTHS, bottleneck=False), 32, None)
WEIGHTS = (1.0, 3.0)


def train(name: str, out: Path, minutes: float, size_wh: tuple[int, int] = (256, 256), seed: int = 0) -> list[Path]:
    """Train and save `bit-<set>/best_ckpt.pt`."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    views, sources = good_frames(name, size_wh, "antialiased_bicubic"), textures(size_wh)
    net = Bit(SHAPE).train()
    parameters = list(net.parameters())
    optimizer = torch.optim.AdamW(parameters, 1e-3)
    clock = Clock(minutes, optimizer, f"bit {name}")
    weights = torch.tensor(WEIGHTS)
    for _ in clock:
        before, after, truth = [], [], []
        for _ in range(BATCH):
            view = views[int(rng.integers(len(views)))]
            frame = shaken(view.images[int(rng.integers(len(view.images)))], rng, 1.5)
            mask = np.zeros(frame.shape[:2], bool)
            if rng.random() < 0.75:
                frame, mask = synthetic.any_of(frame, sources, rng)
            at = place(SIDE, size_wh, rng)
            before.append(view.reference[at])
            after.append(frame[at])
            truth.append(mask[at])
        logits = net(batch(before) * 2 - 1, batch(after) * 2 - 1)
        clock.step(parameters, functional.cross_entropy(logits, labels(truth), weights))
    folder = out / f"bit-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    saved = {
        "epoch_id": clock.steps,
        "best_val_acc": np.float64(0.0),
        "best_epoch_id": clock.steps,
        "model_G_state_dict": net.state_dict(),
        "optimizer_G_state_dict": optimizer.state_dict(),
        "exp_lr_scheduler_G_state_dict": {},
    }
    torch.save(saved, folder / "best_ckpt.pt")
    return [folder / "best_ckpt.pt"]
