"""Auto-encoders beside pankajmishra000/Python: its own class with the weights that it trained, scikit-image's SSIM.

    PYTHONPATH=.:/path/to/scikit-image python -m benchmarks.upstream.autoencoder --upstream /path/to/Python

`improving_unsupervised_defect_segmentation` has a network (128 x 128 grey) and a file with its trained weights: a real one,
so that its float16 error means something. Both sides see the pixels that Pillow's resize makes (what ours changes is
measured in benchmarks.upstream.vt_adl). The file has no licence: it is read here and goes nowhere. Upstream's code gives the
reconstruction and no map; maps are computed here from it with scikit-image (uniform and gaussian window) and NumPy.
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

from benchmarks.upstream.comparing import Expected, Row, real_images, row, say, upstream_on_path
from benchmarks.upstream.shims import fresh_modules
from edge.bundle import Training, open_bundle
from edge.schema import load_yaml
from export.adapters.autoencoder import LICENCE, declaration_of, module_of
from export.checkpoint import load_checkpoint
from export.golden import golden_inputs
from export.module_bundle import write_module_bundle
from export.nets.autoencoder_spec import AutoencoderSpec

FOLDER = "improving_unsupervised_defect_segmentation"
ENCODER = ((32, 4, 2), (32, 4, 2), (32, 3, 1), (64, 4, 2), (64, 3, 1), (128, 4, 2), (64, 3, 1), (100, 3, 1))
DECODER = ((64, 3, 1, 2), (128, 3, 1, 2), (64, 4, 2, 2), (64, 3, 1, 2), (32, 4, 2, 2), (32, 3, 1, 2), (32, 4, 2, 4))
RULES = {
    "l2, mean": "residual: {kind: l2}\nscore: mean",
    "ssim uniform, max": "residual: {kind: ssim, window: uniform, side: 11, border: symmetric, unbiased: true}",
    "ssim gaussian, p99": "residual: {kind: ssim, window: gaussian, side: 11, border: symmetric}\nscore: p99",
    "ssim uniform, 25 patches of 256": (
        "residual: {kind: ssim, window: uniform, side: 11, border: symmetric, unbiased: true}\npatches: {side: 128, stride: 32}"
    ),
}


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", type=Path, required=True)
    parser.add_argument("--images", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    cv2.setNumThreads(1)
    file = args.upstream / FOLDER / "autoencoder_model.pth"
    with fresh_modules(), upstream_on_path(args.upstream / FOLDER):
        net: Any = importlib.import_module("autoencoder_conv").autoencoder()
    net.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    net.eval()
    say([_row(name, rule, net, file, args.images) for name, rule in RULES.items()])


def _row(name: str, rule: str, net: Any, file: Path, images: int) -> Row:
    side = 256 if "patches" in rule else 128
    paths = real_images(images, "piped/PA_BRG01_RL/Defects" if side == 128 else "bsdata/277500_315/test")
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "spec.yaml").write_text(_declared(side) + rule + "\n")
        spec = load_yaml(AutoencoderSpec, Path(scratch) / "spec.yaml")
        ours = module_of(load_checkpoint(file), spec, "spec.yaml")
        declared = declaration_of(spec, {}, Training(), "benchmarks.upstream.autoencoder")
        out = Path(scratch) / "bundle"
        write_module_bundle(out, ours, declared, golden_inputs(declared, paths[0].parent, 2), LICENCE)
        return row(f"autoencoder, {name}", open_bundle(out), ours, [_expected(net, path, spec) for path in paths])


def _declared(side: int) -> str:
    lines = [f"schema: 1\nsize: [{side}, {side}]\ncolour: grey\nresize: antialiased_bilinear\nnetwork:\n  encoder:"]
    activation = "    - {kind: leaky_relu, slope: 0.2}"
    for to, kernel, stride in ENCODER:
        lines += [f"    - {{kind: conv, to: {to}, kernel: {kernel}, stride: {stride}, padding: 1}}", activation]
    lines.append("  decoder:")
    for to, kernel, stride, factor in DECODER:
        lines += [f"    - {{kind: conv, to: {to}, kernel: {kernel}, stride: {stride}, padding: 1}}", activation]
        lines.append(f"    - {{kind: upsample, factor: {factor}}}")
    lines += ["    - {kind: conv, to: 1, kernel: 4, stride: 2, padding: 1}", "    - {kind: sigmoid}", ""]
    return "\n".join(lines)


def _expected(net: Any, path: Path, spec: AutoencoderSpec) -> Expected:
    """Upstream's reconstruction of what PIL makes of the file, and the map from it."""
    from skimage.metrics import structural_similarity

    side = spec.size[0]
    small = Image.open(path).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    shown = np.asarray(small.convert("L"), np.float32) / 255
    made = _patched(net, shown) if spec.patches else net(torch.from_numpy(shown)[None, None])[0, 0].numpy()
    rule = spec.residual
    if rule.kind == "ssim":
        settings: dict[str, Any] = {"win_size": 11} if rule.window == "uniform" else {"gaussian_weights": True, "sigma": 1.5}
        x, y = shown.astype(np.float64), made.astype(np.float64)
        bias = rule.unbiased
        anomaly = 1 - structural_similarity(x, y, data_range=1.0, full=True, use_sample_covariance=bias, **settings)[1]
    else:
        anomaly = (shown - made) ** 2
    score = {"max": anomaly.max(), "mean": anomaly.mean(), "p99": np.percentile(anomaly, 99)}[spec.score]
    return Expected({"image": np.asarray(small)[None]}, anomaly.astype(np.float32), float(score))


def _patched(net: Any, shown: np.ndarray, side: int = 128, stride: int = 32) -> np.ndarray:
    total, count = np.zeros_like(shown, np.float64), np.zeros_like(shown, np.float64)
    for y in range(0, shown.shape[0] - side + 1, stride):
        for x in range(0, shown.shape[1] - side + 1, stride):
            piece = np.ascontiguousarray(shown[y : y + side, x : x + side])
            total[y : y + side, x : x + side] += net(torch.from_numpy(piece)[None, None])[0, 0].numpy()
            count[y : y + side, x : x + side] += 1
    return np.asarray(total / count, np.float32)


if __name__ == "__main__":
    main()
