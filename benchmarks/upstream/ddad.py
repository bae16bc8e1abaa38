"""DDAD beside arimousa/DDAD and the line-clearance study's fork: its own reconstruction and heat map, with the same noise.

    python -m benchmarks.upstream.ddad --upstream /path/to/DDAD --packages /path/to/pkgs [--small] [--size 256]
                                       [--extractor wide_resnet101_2] [--images 2] [--mask C] [--record]

--upstream: the folder with unet.py; for --size 512 the study's (Line-Clearance/DDAD), where the original crashes. --small:
DDADS. --mask: pre-masked with one of the study's masks. --packages: what upstream imports (torchvision, kornia, omegaconf,
...), put there with pip install --no-deps --target. Upstream draws its noise from torch.randn_like: here that gives the
bundle's own. --record prints what tests/export/test_ddad_nets.py holds against our networks, instead.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.upstream.comparing import (
    DATA,
    Errors,
    Expected,
    Row,
    macs_of,
    randomise,
    real_images,
    rgb,
    rtx_engine,
    say,
    score_of,
)
from benchmarks.upstream.formula import picture, weights
from benchmarks.upstream.imports import upstream_modules
from edge.bundle import Bundle, DenoisingLoop, Training
from edge.bundle.noise import stored_noise
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.registration.resampling import resize
from edge.settings.engines import OnnxRuntimeSettings
from export.adapters.ddad import declaration, write_ddad
from export.adapters.ddad_networks import DdadModel, read_ddad
from export.adapters.ddad_settings import DdadSettings
from export.checkpoint import load_checkpoint
from export.graph import Precision

MODULES = ("unet", "reconstruction", "resnet", "anomaly_map")
CROP = {256: 224}


@dataclass(frozen=True, eq=False)
class Upstream:
    """Upstream's modules, its config with what is compared, and its networks."""

    modules: dict[str, Any]
    config: Any
    unet: nn.Module
    features: nn.Module
    folder: Path


def main() -> None:
    """Print the row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", type=Path, required=True)
    parser.add_argument("--packages", type=Path, help="where upstream's requirements are")
    parser.add_argument("--small", action="store_true", help="DDADS")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--extractor", default="wide_resnet101_2")
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--mask", choices=("A", "A2", "B", "B2", "C"))
    parser.add_argument("--no-engine", action="store_true", help="no TensorRT-RTX build")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(2)
    upstream = _upstream(args)
    if args.record:
        _record(upstream)
        return
    say([_against(upstream, args)])


def _upstream(args: argparse.Namespace) -> Upstream:
    modules = dict(zip(MODULES, upstream_modules(args.upstream, MODULES, args.packages), strict=True))
    from omegaconf import OmegaConf

    config = OmegaConf.load(args.upstream / "config.yaml")
    side = 32 if args.record else args.size
    changes = {"device": "cpu", "w": 4, "v": 1, "test_trajectoy_steps": 75 if args.record else 250, "skip": 25}
    config = OmegaConf.merge(config, {"data": {"image_size": side}, "model": changes})
    small = args.small or args.record
    unet = modules["unet"].UNetModel(
        side, 32 if small else 64, dropout=0.3 if small else 0.0, n_heads=2 if small else 4, in_channels=3
    )
    resnet = modules["resnet"]
    features = resnet.ResNet(resnet.Bottleneck, [1] * 4) if args.record else getattr(resnet, args.extractor)(pretrained=False)
    return Upstream(modules, config, unet.eval(), features.eval(), args.upstream)


def _against(upstream: Upstream, args: argparse.Namespace) -> Row:
    _sane(upstream.unet, 1)
    _sane(upstream.features, 2)
    settings = DdadSettings(weight=4.0, crop=CROP.get(args.size), pre_masking=args.mask is not None)
    with tempfile.TemporaryDirectory() as scratch:
        paths = Path(scratch) / "2000", Path(scratch) / "feat4"
        for module, path in zip((upstream.unet, upstream.features), paths, strict=True):
            torch.save(nn.DataParallel(module).state_dict(), path)
        model = read_ddad(load_checkpoint(paths[0]), load_checkpoint(paths[1]), settings)
        declared = declaration(model, settings, "benchmarks.upstream.ddad", Training())
        bundle = write_ddad(Path(scratch) / "bundle", model, declared, DATA / "bsdata/277500_315/train/good")
        expected = [_expected(upstream, path, args) for path in real_images(args.images)]
        return _row(bundle, model, expected, engine=not args.no_engine)


def _sane(module: nn.Module, seed: int) -> None:
    """As a trained one is: every block adds a little to what passes by."""
    randomise(module, seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith(("bn3.weight", "out_layers.3.weight", "proj_out.weight", "out.2.weight")):
                tensor.mul_(0.3)


def _expected(upstream: Upstream, path: Path, args: argparse.Namespace) -> Expected:
    """The statements of upstream's dataset.py and ddad.py on one image: PIL, torchvision, map, crop, maximum."""
    from PIL import Image
    from torchvision import transforms

    side = args.size
    prepare = transforms.Compose([transforms.Resize((side, side)), transforms.ToTensor()])
    image = prepare(Image.open(path).convert("RGB"))[None] * 2 - 1
    inputs = {"image": resize(rgb(path), (side, side), "antialiased_bilinear")[None]}
    mask = None
    if args.mask is not None:
        (masking,) = upstream_modules(upstream.folder, ["masking"])
        mask = masking.Mask(side, "cpu")
        inputs["keep"] = mask.create_mask(mask.image_type_masks[args.mask]).numpy().astype(np.uint8)[None]
    shown = _heat_map(upstream, image, seed=0, mask=mask, category=args.mask)
    crop = CROP.get(side, side)
    middle = transforms.CenterCrop(crop)(shown)
    border = (side - crop) // 2
    whole = np.pad(middle[0, 0].numpy(), border)
    return Expected(inputs, whole, float(middle.max()))


def _heat_map(upstream: Upstream, image: Tensor, seed: int, mask: Any = None, category: str | None = None) -> Tensor:
    with torch.no_grad():
        restored = _restored(upstream, image, seed)
        if mask is not None:
            image, restored = mask.masking(image.clone(), restored, category)
        shown: Tensor = upstream.modules["anomaly_map"].heat_map(restored, image, upstream.features, upstream.config)
    return shown


def _restored(upstream: Upstream, image: Tensor, seed: int) -> Tensor:
    count = 1 + len(range(0, upstream.config.model.test_trajectoy_steps, upstream.config.model.skip))
    noise = stored_noise(seed, count, (image.shape[3], image.shape[2]))
    reconstruction = upstream.modules["reconstruction"].Reconstruction(upstream.unet, upstream.config)
    with _drawn_from(iter(noise)):
        result: Tensor = reconstruction(image, image, upstream.config.model.w)[-1]
    return result


@contextmanager
def _drawn_from(noise: Iterator[np.ndarray]) -> Iterator[None]:
    original = torch.randn_like
    vars(torch)["randn_like"] = lambda like, **_: torch.from_numpy(next(noise).copy()).reshape(like.shape)
    try:
        yield
    finally:
        vars(torch)["randn_like"] = original


def _row(bundle: Bundle, model: DdadModel, expected: list[Expected], *, engine: bool) -> Row:
    side = model.shape.side
    planes = torch.zeros(1, 3, side, side)
    step = macs_of(model.step, [planes, planes, planes, torch.zeros(1), torch.ones(6)])
    image = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    keep = [torch.ones(1, side, side, dtype=torch.uint8)] if model.head.masks else []
    head = macs_of(model.head, [image, *keep, planes])
    program = bundle.manifest.program
    calls = len(program.timesteps) if isinstance(program, DenoisingLoop) else 1
    float32, ort_ms = _errors(bundle, expected, "float32")
    built = [rtx_engine(bundle.model_bytes("float16", graph.name)) for graph in bundle.graphs] if engine else [None]
    found = [each for each in built if each is not None]
    share = bundle.manifest.parameters["half_share_step"]
    return Row(
        family=f"{bundle.manifest.family} + {model.features}",
        size_wh=bundle.manifest.size_wh,
        parameters=sum(each.numel() for part in (model.step, model.head) for each in part.parameters()),
        macs=calls * step + head,
        onnx_bytes=sum(bundle.model_path("float32", graph.name).stat().st_size for graph in bundle.graphs),
        float32=float32,
        float16=_errors(bundle, expected, "float16")[0],
        half=float(share) if isinstance(share, float) else 0.0,
        ort_ms=ort_ms,
        engine=(sum(size for size, _ in found), sum(seconds for _, seconds in found)) if found else None,
    )


def _errors(bundle: Bundle, expected: list[Expected], precision: Precision) -> tuple[Errors, float]:
    """The worst of all images through the station's own engine, and the fastest inference, milliseconds."""
    maps, scores, times, absolutes = [], [], [], []
    with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=2, precision=precision)) as engine:
        for each in expected:
            begun = time.perf_counter()
            made = engine.infer(each.inputs)
            times.append(1000 * (time.perf_counter() - begun))
            if each.map is None or each.score is None:
                continue
            away = np.abs(made["anomaly_map"][0].astype(np.float64) - each.map)
            absolutes.append(float(away.max()))
            maps.append(float(away.max() / each.map.max()))
            scores.append(abs(score_of(bundle, made) - each.score) / each.score)
    return Errors(max(maps), max(absolutes), max(scores)), min(times)


def _record(upstream: Upstream) -> None:
    for module in (upstream.unet, upstream.features):
        module.load_state_dict(weights({name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}))
    upstream.config.model.w, upstream.config.model.v = 3, 1.5
    image = torch.from_numpy(picture("ddad", 32)).permute(2, 0, 1)[None].float() / 255 * 2 - 1
    with torch.no_grad():
        print("noise at 50", _rounded(upstream.unet(image, torch.full((1,), 50.0))[0, :, ::16, ::16]))
    print("restored", _rounded(_restored(upstream, image, 7)[0, :, ::16, ::16]))
    print("map", _rounded(_heat_map(upstream, image, 7)[0, 0, ::11, ::11]))


def _rounded(values: Tensor) -> list[float]:
    return [round(float(value), 5) for value in values.flatten()]


if __name__ == "__main__":
    main()
