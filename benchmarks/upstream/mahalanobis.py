"""CutPaste, the masked block and PaDiM's formula beside upstream's own code, on the same real images.

    python -m benchmarks.upstream.mahalanobis --upstream DIR [--lilityolyan DIR] [--sspcab DIR]

--upstream: a checkout of Runinho/pytorch-cutpaste; the others of LilitYolyan/CutPaste and ristea/sspcab. They need torchvision
(put it on PYTHONPATH). Each is instantiated, saved in its own format, read by the adapter, fitted to good images, and asked
for the score of other real images that its own test code resizes and embeds. PaDiM's repositories hold no module to call: its
formula is written out with numpy and scipy, place by place.

A row compares on the pixels that Pillow's resize gives, for the fit and for the test. What the station's own resize changes,
which differs from Pillow's by one grey level in 0.05 % of the pixels, is told below the table.
"""

from __future__ import annotations

import argparse
import importlib
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import mahalanobis
from torch import Tensor, nn

from benchmarks.upstream.comparing import DATA, Expected, Row, errors_of, randomise, row, say, upstream_on_path
from edge.registration.resampling import resize
from edge.settings.registration import ResizeKernel
from edge.types import ImageU8
from export.adapters import mahalanobis as adapter
from export.adapters.good_frames import Prepared
from export.adapters.mahalanobis_bundle import licence_of
from export.adapters.mahalanobis_network import read_layout
from export.adapters.mahalanobis_settings import ImageSettings, PlaceSettings, kernel_of
from export.checkpoint import load_checkpoint
from export.module_bundle import write_module_bundle

SIDE = 256
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Images = tuple[Sequence[Path], Sequence[Path]]
Found = Iterator[tuple[Row, str]]


@dataclass(frozen=True, eq=False)
class Upstream:
    """What upstream's code gave: scores or maps of the test images, and the checkpoint that it wrote."""

    name: str
    checkpoint: Path
    answers: NDArray[Any]
    inner: str | None = None


def compared(upstream: Upstream, settings: ImageSettings | PlaceSettings, images: Images, work: Path) -> tuple[Row, str]:
    """The row, on Pillow's pixels, and what the station's own resize changes."""
    checkpoint = load_checkpoint(upstream.checkpoint, inner=upstream.inner, strip=("module.", "model."))
    layout = read_layout(checkpoint)
    kernel = kernel_of(layout)
    fit: Any = adapter.fit_places if isinstance(settings, PlaceSettings) else adapter.fit_image
    made: list[tuple[Any, Any, list[Expected]]] = []
    for place, resized in enumerate((_by_pillow, _by_the_station)):
        good, tests = (tuple(resized(path, kernel) for path in paths) for paths in images)
        fitted = fit(checkpoint, settings, Prepared(good, tuple(path.name for path in images[0]), (), ()), kernel)
        declared = fitted.declaration("benchmarks.upstream.mahalanobis")
        vectors = [{"image": image[None]} for image in tests]
        out = work / f"{upstream.checkpoint.stem}-{declared.parameters.get('density')}-{place}"
        bundle = write_module_bundle(out, fitted.module, declared, vectors, licence_of(layout))
        # A density's constant is left out of the bundle's score, and so of this comparison: it would hide any error.
        answers = upstream.answers - float(declared.parameters.get("density_constant") or 0)
        expected = [
            Expected(given, None if answer.ndim == 0 else answer, float(answer) if answer.ndim == 0 else None)
            for given, answer in zip(vectors, answers, strict=True)
        ]
        made.append((bundle, fitted.module, expected))
    bundle, module, expected = made[0]
    station = errors_of(made[1][0], made[1][0].model_bytes(), made[1][2])
    return row(upstream.name, bundle, module, expected), f"{upstream.name}: with the station's resize {station}"


def runinho(folder: Path, images: Images, work: Path) -> Found:
    """ProjectionNet with one hidden layer and three classes; both densities of upstream's density.py."""
    model, density = _modules(folder, "model", "density")
    net = randomise(model.ProjectionNet(pretrained=False, head_layers=[512, 128], num_classes=3))
    path = work / "model-bench-2026-01-01_00_00_00.tch"
    torch.save(net.state_dict(), path)
    train, test = (
        nn.functional.normalize(_embedded(lambda x: net(x)[0], [Image.open(each).resize((SIDE, SIDE)) for each in paths]), p=2)
        for paths in images
    )
    for kind, fitted in (("gaussian", density.GaussianDensityTorch()), ("kde", density.GaussianDensitySklearn())):
        fitted.fit(train)
        answers = np.asarray(fitted.predict(test))
        settings = ImageSettings(density="gaussian" if kind == "gaussian" else "kde")
        yield compared(Upstream(f"mahalanobis, CutPaste of Runinho, {kind}", path, answers), settings, images, work)


def lilityolyan(folder: Path, images: Images, work: Path) -> Found:
    """CutPasteNet in a file as Lightning writes it; sklearn's kernel density on the head's output."""
    from sklearn.neighbors import KernelDensity
    from torchvision import transforms

    (model,) = _modules(folder, "model")
    net = randomise(model.CutPasteNet(pretrained=False))
    state = {f"model.{name}": tensor for name, tensor in net.state_dict().items()}
    path = work / "weights.ckpt"
    given = {"encoder": "resnet18", "dims": [512] * 8 + [128], "num_class": 3}
    torch.save({"epoch": 1, "global_step": 1, "state_dict": state, "hyper_parameters": given}, path)
    small = transforms.Resize((SIDE, SIDE))
    train, test = (_embedded(lambda x: net(x)[1], [small(Image.open(each)) for each in paths]) for paths in images)
    # Upstream's GDE_scores divides by the norm of all test scores at once, which no station can: the score before it.
    answers = -KernelDensity().fit(train).score_samples(test)
    upstream = Upstream("mahalanobis, CutPaste of LilitYolyan, kde", path, answers, "state_dict")
    yield compared(upstream, ImageSettings(), images, work)


def padim(images: Images, work: Path, channels: int = 40) -> Found:
    """The formula of Defard et al. on torchvision's ResNet-18."""
    from torchvision import models

    net = randomise(models.resnet18())
    torch.save(net.state_dict(), work / "resnet18.pth")
    picked = sorted(random.Random(1024).sample(range(448), channels))
    train, test = (
        _embedded(lambda x: _places(net, x), [Image.open(each).resize((SIDE, SIDE), 2) for each in paths]).numpy()[:, picked]
        for paths in images
    )
    size = train.shape[2:]
    train, test = (each.reshape(len(each), channels, -1) for each in (train, test))
    maps = np.empty((len(test), train.shape[2]))
    for place in range(train.shape[2]):
        here = train[:, :, place]
        inverse = np.linalg.inv(np.cov(here, rowvar=False) + 0.01 * np.eye(channels))
        maps[:, place] = [mahalanobis(each, here.mean(0), inverse) for each in test[:, :, place]]
    small = torch.from_numpy(maps.reshape(len(test), 1, *size))
    full = nn.functional.interpolate(small, size=(SIDE, SIDE), mode="bilinear", align_corners=False).numpy()[:, 0]
    upstream = Upstream("mahalanobis, PaDiM", work / "resnet18.pth", np.stack([gaussian_filter(each, 4) for each in full]))
    yield compared(upstream, PlaceSettings(channels=channels), images, work)


def sspcab(folder: Path) -> float:
    """The masked block beside upstream's, on random maps: largest difference, relative."""
    from export.nets.sspcab import MaskedBlock

    (module,) = _modules(folder, "sspcab_torch")
    worst = 0.0
    for kernel, dilation in ((1, 1), (2, 1), (1, 2), (3, 2)):
        theirs = randomise(module.SSPCAB(64, kernel_dim=kernel, dilation=dilation))
        mine = MaskedBlock(64, 8, kernel, dilation).eval()
        mine.load_state_dict(theirs.state_dict())
        x = torch.randn(1, 64, 16, 12, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            worst = max(worst, float((theirs(x) - mine(x)).abs().max() / theirs(x).abs().max()))
    return worst


def _modules(folder: Path, *names: str) -> list[Any]:
    """Upstream's modules; two projects have a `model`, so each is forgotten once it is in hand."""
    with upstream_on_path(folder):
        return [(importlib.import_module(name), sys.modules.pop(name))[0] for name in names]


def _by_pillow(path: Path, kernel: ResizeKernel) -> ImageU8:
    kind = Image.Resampling.BICUBIC if kernel == "antialiased_bicubic" else Image.Resampling.BILINEAR
    return np.asarray(Image.open(path).convert("RGB").resize((SIDE, SIDE), kind))


def _by_the_station(path: Path, kernel: ResizeKernel) -> ImageU8:
    return resize(np.asarray(Image.open(path).convert("RGB")), (SIDE, SIDE), kernel)


def _embedded(net: Callable[[Tensor], Tensor], images: Sequence[Image.Image]) -> Tensor:
    """Upstream's ToTensor and Normalize, then the network, one image at a time."""
    x = torch.from_numpy(np.stack([np.asarray(image.convert("RGB")) for image in images])).permute(0, 3, 1, 2).float() / 255
    x = (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    with torch.no_grad():
        return torch.cat([net(each[None]) for each in x])


def _places(net: Any, x: Tensor) -> Tensor:
    first = net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(x)))))
    maps = [first, net.layer2(first)]
    maps.append(net.layer3(maps[-1]))
    return torch.cat([nn.functional.interpolate(each, size=first.shape[2:], mode="nearest") for each in maps], 1)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the rows; 1 if a float32 error is above 1e-4."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", type=Path, required=True, metavar="DIR")
    parser.add_argument("--lilityolyan", type=Path, metavar="DIR")
    parser.add_argument("--sspcab", type=Path, metavar="DIR")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    view = DATA / "bsdata/305000_090"
    images = sorted((view / "train/good").iterdir()), sorted((view / "test/pitting").iterdir())[:4]
    with tempfile.TemporaryDirectory(prefix="lineclear-upstream-") as folder:
        work = Path(folder)
        results = [*runinho(args.upstream, images, work), *padim(images, work)]
        if args.lilityolyan:
            results += lilityolyan(args.lilityolyan, images, work)
    say([each for each, _ in results])
    print(*(told for _, told in results), sep="\n")
    if args.sspcab:
        print(f"SSPCAB block: {sspcab(args.sspcab):.1e}")
    return int(any(max(each.float32.map, each.float32.score) > 1e-4 for each, _ in results))


if __name__ == "__main__":
    sys.exit(main())
