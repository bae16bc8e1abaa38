"""DRAEM beside VitjanZ/DRAEM and the line-clearance study: checkpoints that their code writes, their own test code's scores.

    python -m benchmarks.upstream.draem --upstream /path/to/DRAEM [--study /path/to/Line-Clearance]
        [--size 256] [--width 128] [--images 3]

The networks are upstream's classes with weights of a sane scale from a seed; saved with upstream's torch.save and names;
read by `lineclear-export draem`. Upstream's side of the comparison reads the image files itself, as its data loader does:
cv2.imread, cv2.resize, BGR / 255; then the statements of its test script.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from benchmarks.upstream.comparing import Expected, Row, randomise, real_images, rgb, row, say, upstream_on_path
from edge.bundle import Training, open_bundle
from edge.registration.resampling import resize
from export.adapters.draem import LICENCE, declaration, load_draem
from export.golden import golden_inputs
from export.module_bundle import write_module_bundle


def main() -> None:
    """Print the row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", type=Path, required=True)
    parser.add_argument("--study", type=Path, help="Oenarion/Line-Clearance: its model.py, masking.py and checkpoint names")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=int, default=128, help="of the reconstructive half; the other is half as wide")
    parser.add_argument("--images", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(2)
    cv2.setNumThreads(1)
    rows = [_against(args.upstream, args, None)]
    if args.study is not None:
        rows.append(_against(args.upstream, args, args.study))
    say(rows)


def _against(upstream: Path, args: argparse.Namespace, study: Path | None) -> Row:
    with upstream_on_path(upstream):
        networks = importlib.import_module("model_unet")
    reconstructive = randomise(networks.ReconstructiveSubNetwork(in_channels=3, out_channels=3, base_width=args.width), 1)
    discriminative = randomise(
        networks.DiscriminativeSubNetwork(in_channels=6, out_channels=2, base_channels=args.width // 2), 2
    )
    names = (
        ("C_TEST_REC_MODEL_3000.pth", "C_TEST_SEG_MODEL_3000.pth")
        if study
        else ("DRAEM_0.0001_700_bs8_x_.pckl", "DRAEM_0.0001_700_bs8_x__seg.pckl")
    )
    paths = real_images(args.images)
    size_wh = (args.size, args.size)
    with tempfile.TemporaryDirectory() as scratch:
        for module, name in zip((reconstructive, discriminative), names, strict=True):
            torch.save(module.state_dict(), Path(scratch) / name)
        model = load_draem(Path(scratch) / names[0])
        declared = declaration(model, size_wh, "pre" if study else "none", Training(), "benchmarks.upstream.draem")
        golden = golden_inputs(declared, None, 1)
        out = Path(scratch) / "bundle"
        write_module_bundle(out, model.network, declared, golden, LICENCE)
        keep = _keep(study, args.size) if study else None
        expected = [_upstream(path, args.size, reconstructive, discriminative, study, keep) for path in paths]
        family = "draem" if study is None else "draem, pre-masked as the study does"
        return row(family, open_bundle(out), model.network, expected)


def _upstream(
    path: Path, size: int, reconstructive: nn.Module, discriminative: nn.Module, study: Path | None, keep: np.ndarray | None
) -> Expected:
    """The statements of test_DRAEM.py, and of the study's test.py, on the CPU."""
    image = cv2.resize(cv2.imread(str(path), cv2.IMREAD_COLOR), dsize=(size, size)) / 255.0
    batch = torch.from_numpy(np.transpose(image.astype(np.float32), (2, 0, 1)))[None]
    with torch.no_grad():
        painted = reconstructive(batch)
        logits = discriminative(torch.cat((painted, batch), dim=1))
        if study is not None:
            logits, _ = _masking(study).Mask(size, "cpu").masking(painted, logits, "C")
        probabilities = torch.softmax(logits, dim=1)
        averaged = torch.nn.functional.avg_pool2d(probabilities[:, 1:], 21, stride=1, padding=21 // 2)
    inputs = {"image": resize(rgb(path), (size, size), "cv2_linear")[None]}
    if keep is not None:
        inputs["keep"] = keep[None]
    return Expected(inputs, probabilities[0, 1].numpy(), float(averaged.numpy().max()))


def _keep(study: Path, size: int) -> np.ndarray:
    mask = _masking(study).Mask(size, "cpu")
    kept: np.ndarray = mask.create_mask(mask.image_type_masks["C"])[0, 0].numpy().astype(np.uint8)
    return kept


def _masking(study: Path):
    with upstream_on_path(study / "DRAEM"):
        return importlib.import_module("masking")


if __name__ == "__main__":
    main()
