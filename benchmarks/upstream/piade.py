"""PIADE beside pankajmishra000/PIADE: a checkpoint that its code writes, the score of its own test code.

    PYTHONPATH=.:/path/to/torchvision+scikit-image python -m benchmarks.upstream.piade --upstream /path/to/PIADE [--vgg FILE]

The networks are upstream's classes (`.cuda()` shimmed away, no ImageNet download) with weights of a sane scale from a seed;
VGG-11's are drawn too, or those of --vgg. Upstream's side reads the image files itself, as mvtech.py does (skimage, PIL 156,
middle 120); then the statements of Testing_mvtech.py. The row is of the graph on upstream's pixels; the lines below say
what our own reader and resize change (cut as upstream cuts), and what the manifest's crop (cut first, then resized).
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
from torch.nn import functional

from benchmarks.upstream.comparing import Expected, errors_of, randomise, real_images, rgb, row, say, upstream_on_path
from benchmarks.upstream.shims import fresh_modules, torchvision, without_cuda
from edge.bundle import Training, open_bundle
from edge.registration.resampling import resize
from export.adapters.piade import LICENCE, RESIZED, declaration_of, module_of
from export.checkpoint import load_checkpoint
from export.golden import golden_inputs
from export.module_bundle import write_module_bundle

SIDE = 120


def main() -> None:
    """Print the row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", type=Path, required=True)
    parser.add_argument("--vgg", type=Path, help="torchvision's vgg11 weights (default: drawn from a seed)")
    parser.add_argument("--images", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(2)
    cv2.setNumThreads(1)
    vision = torchvision()
    vgg = randomise(vision.models.vgg11(weights=None), 3)
    if args.vgg is not None:
        vgg.load_state_dict(dict(load_checkpoint(args.vgg).state))
    with without_cuda(), fresh_modules(), upstream_on_path(args.upstream):
        network = randomise(importlib.import_module("capsmod").PSPNet(pretrained=False, test=True), 1)
        # As upstream draws them: with longer votes both capsules are of length 1 and no longer one is chosen.
        torch.nn.init.normal_(network.D1.W, 0, 0.01, generator=torch.Generator().manual_seed(2))
        similarity = importlib.import_module("pytorch_ssim")
        paths = real_images(args.images, "bsdata/277500_315/test")
        upstream = [_test(vision, similarity, network, vgg, path) for path in paths]
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch) / name for name in ("Mvtech_x.pt", "vgg11.pth")]
        for module, file in zip((network, vgg), files, strict=True):
            torch.save(module.state_dict(), file)
        ours = module_of(*map(load_checkpoint, files))
        declared = declaration_of(ours, True, Training(), "benchmarks.upstream.piade")
        out = Path(scratch) / "bundle"
        write_module_bundle(out, ours, declared, golden_inputs(declared, None, 1), LICENCE)
        bundle = open_bundle(out)
        cut = (RESIZED - SIDE) // 2
        wide = [resize(rgb(path), (RESIZED, RESIZED), "antialiased_bilinear") for path in paths]
        pixels = [image[cut : cut + SIDE, cut : cut + SIDE] for image in wide]
        say([row("piade", bundle, ours, upstream)])
        off = max(np.abs(x.astype(int) - e.inputs["image"][0]).max() for x, e in zip(pixels, upstream, strict=True))
        same = errors_of(bundle, bundle.model_bytes(), [_with(x, e) for x, e in zip(pixels, upstream, strict=True)])
        print(f"  on the pixels of our own reader and resize {same} (off by {off} grey levels at most)")
        cropped = [
            _with(resize(_field(rgb(path), bundle.manifest.crop), (SIDE, SIDE), "antialiased_bilinear"), each)
            for path, each in zip(paths, upstream, strict=True)
        ]
        print(f"  through the manifest's crop: score {errors_of(bundle, bundle.model_bytes(), cropped).score:.1e} relative")


def _with(pixels: np.ndarray, expected: Expected) -> Expected:
    return Expected({"image": np.ascontiguousarray(pixels)[None]}, expected.map, expected.score)


def _field(image: np.ndarray, crop: Any) -> np.ndarray:
    height, width = image.shape[:2]
    rows = slice(round(crop.top * height), round(crop.bottom * height))
    return np.ascontiguousarray(image[rows, round(crop.left * width) : round(crop.right * width)])


def _test(vision: Any, similarity: Any, network: torch.nn.Module, vgg: torch.nn.Module, path: Path) -> Expected:
    """The statements of mvtech.py and Testing_mvtech.py for one image, on the CPU."""
    from skimage.io import imread

    steps = vision.transforms
    transform = steps.Compose([steps.ToPILImage(), steps.Resize((156, 156)), steps.CenterCrop(120), steps.ToTensor()])
    img = transform(imread(path))[None]
    blocks: Any = vgg.features
    with torch.no_grad():
        reconstruction, _res, _features, _vectors = network(img)
        loss1 = functional.mse_loss(reconstruction[0], img[0], reduction="mean")
        loss2 = -similarity.SSIM()(img, reconstruction)
        loss4 = functional.mse_loss(blocks[:4](reconstruction), blocks[:4](img), reduction="mean")
        loss = loss1 + loss2 + loss4
    shown = (img[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    return Expected({"image": shown[None]}, None, float(loss))


if __name__ == "__main__":
    main()
