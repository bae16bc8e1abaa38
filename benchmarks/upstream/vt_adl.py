"""VT-ADL beside pankajmishra000/VT-ADL: checkpoints that its code writes, the map and score of its own test code.

    PYTHONPATH=.:/path/to/torchvision+einops+scikit-image python -m benchmarks.upstream.vt_adl --upstream /path/to/VT-ADL

The networks are upstream's classes (`.cuda()` shimmed away) with weights of a sane scale from a seed. Upstream's side reads
the image files itself, as mvtech.py does (skimage, PIL 550, middle 512); then the statements of test.py. The row is of the
graph on upstream's pixels; the lines below say what our own reader and resize change (cut as upstream cuts), and what the
manifest's crop (cut first, to whole pixels of the reference, then resized).
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

from benchmarks.upstream.comparing import Errors, Expected, errors_of, randomise, real_images, rgb, row, say, upstream_on_path
from benchmarks.upstream.shims import fresh_modules, torchvision, without_cuda
from edge.bundle import Training, open_bundle
from edge.registration.resampling import resize
from export.adapters.vt_adl import LICENCE, RESIZED, VtAdlSettings, declaration_of, module_of
from export.checkpoint import load_checkpoint
from export.golden import golden_inputs
from export.module_bundle import write_module_bundle

SIDE, PATCH = 512, 64


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", type=Path, required=True)
    parser.add_argument("--images", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(2)
    cv2.setNumThreads(1)
    vision = torchvision()
    with without_cuda(), fresh_modules(), upstream_on_path(args.upstream):
        parts = {name: importlib.import_module(name) for name in ("VT_AE", "mdn1", "pytorch_ssim", "utility_fun")}
        network = randomise(parts["VT_AE"].VT_AE(train=False), 1)
        # Upstream draws them so; of a sane scale for matrices they would be 64 times too large for 4096 summed votes.
        torch.nn.init.normal_(network.Digcap.W, 0, 0.01, generator=torch.Generator().manual_seed(2))
        for name, tensor in network.state_dict().items():
            if name.endswith("to_qkv.weight"):
                tensor.mul_(4)  # drawn small, every token attends to all alike, and no mistake there would show
        density = randomise(parts["mdn1"].MDN(), 3)
        paths = real_images(args.images, "bsdata/277500_315/test")
        upstream = [_test(vision, parts, network, density, path) for path in paths]
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch) / name for name in ("VT_AE_Mvtech_x.pt", "G_estimate_Mvtech_x.pt")]
        for module, file in zip((network, density), files, strict=True):
            torch.save(module.state_dict(), file)
        settings = VtAdlSettings(score="upstream")
        ours = module_of(*map(load_checkpoint, files), settings)
        declared = declaration_of(ours, settings, Training(), "benchmarks.upstream.vt_adl")
        out = Path(scratch) / "bundle"
        write_module_bundle(out, ours, declared, golden_inputs(declared, None, 1), LICENCE)
        bundle = open_bundle(out)
        cut = (RESIZED - SIDE) // 2
        pixels = [resize(rgb(p), (RESIZED, RESIZED), "antialiased_bilinear")[cut : cut + SIDE, cut : cut + SIDE] for p in paths]
        expected = [Expected({"image": x[None]}, e.map, e.score) for x, e in zip(pixels, upstream, strict=True)]
        say([row("vt_adl", bundle, ours, upstream)])
        off = max(int(np.abs(x.astype(int) - e.inputs["image"][0]).max()) for x, e in zip(pixels, upstream, strict=True))
        same = errors_of(bundle, bundle.model_bytes(), expected)
        print(f"  on the pixels of our own reader and resize {same} (off by {off} grey levels at most)")
        print(f"  through the manifest's crop {_through_crop(bundle, paths, upstream)}")


def _through_crop(bundle: Any, paths: list[Path], upstream: list[Expected]) -> Errors:
    crop, expected = bundle.manifest.crop, []
    for path, each in zip(paths, upstream, strict=True):
        image = rgb(path)
        height, width = image.shape[:2]
        rows = slice(round(crop.top * height), round(crop.bottom * height))
        columns = slice(round(crop.left * width), round(crop.right * width))
        field = np.ascontiguousarray(image[rows, columns])
        pixels = resize(field, bundle.manifest.size_wh, bundle.manifest.resize.kernel)
        expected.append(Expected({"image": pixels[None]}, each.map, each.score))
    return errors_of(bundle, bundle.model_bytes(), expected)


def _test(vision: Any, parts: dict[str, Any], network: torch.nn.Module, density: torch.nn.Module, path: Path) -> Expected:
    """The statements of mvtech.py and test.py for one image, on the CPU."""
    from skimage.io import imread

    steps = vision.transforms
    transform = steps.Compose([steps.ToPILImage(), steps.Resize((550, 550)), steps.CenterCrop(512), steps.ToTensor()])
    i = transform(imread(path))[None]
    with torch.no_grad():
        vector, reconstructions = network(i)
        pi, mu, sigma = density(vector)
        loss1 = functional.mse_loss(reconstructions, i, reduction="mean")
        loss2 = -parts["pytorch_ssim"].SSIM()(i, reconstructions)
        loss3 = parts["mdn1"].mdn_loss_function(vector, mu, sigma, pi, test=True)
        loss = loss1 - loss2 + loss3.max()
    upsample = torch.nn.UpsamplingBilinear2d((512, 512))
    score_map = upsample(torch.tensor(loss3.numpy().reshape(-1, 1, 512 // PATCH, 512 // PATCH)))
    score_map = parts["utility_fun"].Filter(score_map, type=0)
    shown = (i[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    return Expected({"image": shown[None]}, np.asarray(score_map)[0, 0], float(loss))


if __name__ == "__main__":
    main()
