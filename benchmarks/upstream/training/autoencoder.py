"""A dilated denoising auto-encoder: it sees good frames with something put on them and must give back the good frame.

Vincent et al., "Extracting and composing robust features with denoising autoencoders", 2008; dilation to see past what was
put there; SSIM and squared error as the loss. Saved as a state dict with the declaration that `lineclear-export
autoencoder` reads (`SPEC`), for there is no upstream format.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.upstream.training import synthetic
from benchmarks.upstream.training.clock import Clock
from benchmarks.upstream.training.frames import flat, good_frames, textures
from benchmarks.upstream.training.tensors import batch, shaken
from edge.schema import load_yaml
from export.nets.autoencoder import build_network
from export.nets.autoencoder_spec import AutoencoderSpec
from export.nets.islands import ssim_map

BATCH = 4
SPEC = """\
schema: 1
size: [256, 256]
colour: rgb
resize: antialiased_bilinear
network:
  encoder:
    - {kind: conv, to: 24, kernel: 5, stride: 2, padding: 2}
    - {kind: batch_norm}
    - {kind: leaky_relu, slope: 0.1}
    - {kind: conv, to: 48, kernel: 3, stride: 2, padding: 1}
    - {kind: batch_norm}
    - {kind: leaky_relu, slope: 0.1}
    - {kind: conv, to: 64, kernel: 3, stride: 2, padding: 1}
    - {kind: batch_norm}
    - {kind: leaky_relu, slope: 0.1}
    - {kind: conv, to: 64, kernel: 3, padding: same, dilation: 2}
    - {kind: leaky_relu, slope: 0.1}
    - {kind: conv, to: 64, kernel: 3, padding: same, dilation: 4}
    - {kind: leaky_relu, slope: 0.1}
    - {kind: conv, to: 64, kernel: 3, padding: same, dilation: 8}
    - {kind: leaky_relu, slope: 0.1}
    - {kind: conv, to: 16, kernel: 1}
  decoder:
    - {kind: conv, to: 64, kernel: 3, padding: same}
    - {kind: leaky_relu, slope: 0.1}
    - {kind: upsample, factor: 2, mode: bilinear}
    - {kind: conv, to: 48, kernel: 3, padding: same}
    - {kind: leaky_relu, slope: 0.1}
    - {kind: upsample, factor: 2, mode: bilinear}
    - {kind: conv, to: 24, kernel: 3, padding: same}
    - {kind: leaky_relu, slope: 0.1}
    - {kind: upsample, factor: 2, mode: bilinear}
    - {kind: conv, to: 3, kernel: 3, padding: same}
    - {kind: sigmoid}
residual: {kind: l1}
score: max
"""


def train(name: str, out: Path, minutes: float, size_wh: tuple[int, int] = (256, 256), seed: int = 0) -> list[Path]:
    """Train and save `autoencoder-<set>.pth` and `autoencoder-<set>.yaml`."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    declared = out / f"autoencoder-{name}.yaml"
    declared.write_text(SPEC)
    net = build_network(load_yaml(AutoencoderSpec, declared), str(declared)).to_empty(device="cpu").train()
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.BatchNorm2d)):
            layer.reset_parameters()
    images, sources = flat(good_frames(name, size_wh, "antialiased_bilinear")), textures(size_wh)
    parameters = list(net.parameters())
    clock = Clock(minutes, torch.optim.Adam(parameters, 2e-3), f"autoencoder {name}")
    for _ in clock:
        good = [shaken(images[int(rng.integers(len(images)))], rng, 2.0) for _ in range(BATCH)]
        spoilt = [synthetic.any_of(each, sources, rng)[0] if rng.random() < 0.8 else each for each in good]
        wanted, made = batch(good), net(batch(spoilt))
        loss = 10 * functional.mse_loss(made, wanted) + (1 - ssim_map(made, wanted).mean())
        clock.step(parameters, loss)
    path = out / f"autoencoder-{name}.pth"
    torch.save(net.state_dict(), path)
    return [path, declared]
