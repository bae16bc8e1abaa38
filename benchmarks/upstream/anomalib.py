"""anomalib's own networks, exported by anomalib's own to_onnx, beside the bundle made from that file.

    python -m benchmarks.upstream.anomalib --upstream /path/to/site-packages [--models stfpm padim ...] [--no-rtx]

anomalib has no CPU-only set of requirements: --upstream names a folder filled with `pip install --target FOLDER --no-deps
anomalib==2.7.0 torchvision==0.28.0 lightning pytorch-lightning lightning-utilities torchmetrics timm kornia kornia_rs einops
omegaconf antlr4-python3-runtime jsonargparse docstring-parser FrEIA safetensors "huggingface_hub<1" open_clip_torch onnxscript
onnx_ir ml_dtypes pandas python-dateutil pytz tzdata tqdm scikit-image lazy_loader imageio networkx requests ...`.
Weights are made up, thresholds and ranges set as a validation would have set them. Compared are the raw map and score that
the torch model gives for a real image, resized by anomalib's own antialiased transform, and the bundle's for the same pixels.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.upstream.comparing import (
    HEADER,
    Errors,
    Expected,
    Row,
    errors_of,
    macs_of,
    ort_ms,
    real_images,
    rgb,
    rtx_engine,
)  # fmt: skip
from edge.bundle import Training
from edge.errors import BundleError
from edge.registration.resampling import resize
from export.adapters.anomalib import Choices, adapt
from export.graph import half_share
from export.onnx_surgery.bundling import write_foreign_bundle
from export.onnx_surgery.reading import read_onnx

SIZE = 256


def import_anomalib(folder: Path) -> Any:
    """anomalib.models; torchvision's CUDA operators, which no CPU build has and no export needs, are left out."""
    sys.path.insert(0, str(folder))
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
    import timm

    create = timm.create_model
    timm.create_model = lambda *given, **named: create(*given, **{**named, "pretrained": False})
    import anomalib.models

    return anomalib.models


def padim(models: Any) -> Any:
    model = models.Padim(backbone="resnet18", pre_trained=False)
    model.model.train()
    for _ in range(2):
        model.model(torch.rand(8, 3, SIZE, SIZE))
    model.model.fit()
    return model


def patchcore(models: Any) -> Any:
    model = models.Patchcore(backbone="resnet18", pre_trained=False, num_neighbors=9)
    model.model.eval()
    model.model.memory_bank = torch.randn(300, 384).abs() * 0.5
    return model


def stfpm(models: Any) -> Any:
    return models.Stfpm(backbone="resnet18")


def fastflow(models: Any) -> Any:
    return models.Fastflow(backbone="resnet18", pre_trained=False, flow_steps=4)


def efficient_ad(models: Any) -> Any:
    return models.EfficientAd(model_size="small")


def draem(models: Any) -> Any:
    # It downloads textures for its training where this folder is not there.
    return models.Draem(dtd_dir=tempfile.gettempdir())


BUILDERS = {each.__name__: each for each in (padim, patchcore, stfpm, fastflow, efficient_ad, draem)}


def raw(model: Any, image: torch.Tensor) -> tuple[np.ndarray[Any, Any], float]:
    """The map and the score before anomalib's normalisation, in torch."""
    with torch.no_grad():
        made = model.model(model.pre_processor(image))
    score = made.pred_score if made.pred_score is not None else made.anomaly_map.amax()
    return made.anomaly_map.reshape(SIZE, SIZE).numpy(), float(score.reshape(-1)[0])


def calibrate(model: Any, image: torch.Tensor) -> None:
    """Threshold and range inside what the image gives, so that the clamp really hides something."""
    scores, score = raw(model, image)
    post, low, high = model.post_processor, float(scores.min()), float(scores.max())
    spread = max(high - low, 1e-6)
    values = {
        "image_min": score - spread, "image_max": score - 0.2 * spread, "_image_threshold": score - 0.5 * spread,
        "pixel_min": low, "pixel_max": low + 0.5 * spread, "_pixel_threshold": low + 0.3 * spread,
    }  # fmt: skip
    for name, value in values.items():
        getattr(post, name).fill_(value)


def compare(name: str, models: Any, count: int, rtx: bool) -> Row:
    """One model through anomalib's exporter and ours."""
    torch.manual_seed(0)
    model = BUILDERS[name](models).eval()
    pictures = [resize(rgb(path), (SIZE, SIZE), "antialiased_bilinear") for path in real_images(count)]
    tensors = [torch.from_numpy(each.transpose(2, 0, 1)[None].copy()).float() / 255 for each in pictures]
    calibrate(model, tensors[0])
    expected = [
        Expected({"image": picture[None]}, *raw(model, tensor)) for picture, tensor in zip(pictures, tensors, strict=True)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        # PatchCore's default is refused: its batch is fixed to 2.
        options = {"dynamic_axes": {}} if name == "patchcore" else {}
        path = model.to_onnx(scratch, input_size=(SIZE, SIZE), **options)
        adapted = adapt(read_onnx(path), Choices(), Training(), "benchmarks.upstream.anomalib")
        if adapted.declaration.parameters["scores"] != "raw":
            raise BundleError(f"{name}: the raw scores were not reached")
        written = write_foreign_bundle(
            Path(scratch) / "bundle", adapted.model, adapted.declaration, real_images(1)[0].parent, name
        )
        bundle, twin = written.bundle, "model.fp16.onnx" in written.bundle.manifest.files
        half = bundle.model_bytes("float16") if twin else bundle.model_bytes()
        return Row(
            family=f"anomalib {name}", size_wh=bundle.manifest.size_wh,
            parameters=sum(each.numel() for each in model.model.parameters()), macs=macs_of(model.model, [tensors[0]]),
            onnx_bytes=len(bundle.model_bytes()), float32=errors_of(bundle, bundle.model_bytes(), expected),
            float16=errors_of(bundle, half, expected) if twin else Errors(np.nan, np.nan, np.nan), half=half_share(half),
            ort_ms=ort_ms(bundle.model_bytes(), expected[0].inputs), engine=rtx_engine(half) if rtx else None,
        )  # fmt: skip


def run() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", required=True, type=Path)
    parser.add_argument("--models", nargs="+", choices=tuple(BUILDERS), default=list(BUILDERS))
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--no-rtx", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    models = import_anomalib(args.upstream)
    print(HEADER)
    for name in args.models:
        print(compare(name, models, args.images, not args.no_rtx), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run())
