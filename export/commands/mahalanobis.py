"""`lineclear-export mahalanobis`: a residual network and good images -> how far an image, or a place in it, is from them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.settings.registration import ResizeKernel
    from export.adapters.good_frames import Prepared
    from export.adapters.mahalanobis_bundle import Fitted
    from export.adapters.mahalanobis_network import Source

SUMMARY = "distance from good images in the features of a ResNet: CutPaste, PaDiM, the ball-screw net"

DESCRIPTION = """\
Fit what good images look like in the features of a residual network, and write the bundle that measures how far a frame is
from it. The checkpoint is one of CutPaste (Runinho/pytorch-cutpaste: model-*.tch; LilitYolyan/CutPaste: *.ckpt of
Lightning), or any state dict with one ResNet in it (torchvision's keys, under a prefix or not).

--level image: one vector per frame, one score, no map: it says that something is wrong, not where. The density is fitted as
the checkpoint's project does (a Gaussian by Ledoit and Wolf, or kernels), because no project saves it.
--level patch: a Gaussian per place (PaDiM): a map.

Give good frames as the station will take them, 30 or more where you can, and with --reference the recipe's reference: then
they are registered as at the station, and --moved tells the density what a nudged camera does to a good frame. What built
the model never makes its thresholds: keep other good frames back.
"""

EPILOG = """\
examples:
  lineclear-export mahalanobis --checkpoint model-screw.tch --images good/front --reference reference.png --out bundles/front
  lineclear-export mahalanobis --checkpoint resnet18.pth --level patch --images good/front --out bundles/front-map
  lineclear-export mahalanobis --checkpoint weights.ckpt --images good/front --embedding backbone --density gaussian --out b.zip
"""

_LARGEST_SIDE = 2048


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    from export.options import add_output, add_precision

    add_output(parser)
    add_precision(parser)
    parser.add_argument("--checkpoint", required=True, type=Path, metavar="FILE", help="the network, as upstream wrote it")
    parser.add_argument("--images", type=Path, metavar="GOOD_DIR", help="good frames to fit to, at least 5")
    parser.add_argument("--level", choices=("image", "patch"), default="image", help="one score, or a map (default image)")
    parser.add_argument("--size", default="256x256", metavar="WxH", help="model size, as in the training (default 256x256)")
    parser.add_argument(
        "--resize",
        choices=("cv2_linear", "cv2_area", "antialiased_bilinear", "antialiased_bicubic"),
        help="kernel of the training (default: the project's own)",
    )
    parser.add_argument("--reference", type=Path, metavar="IMAGE", help="the recipe's reference: register to it")
    parser.add_argument("--masks", type=Path, metavar="FILE", help="masks.yaml: shown as in the reference")
    parser.add_argument("--registration", choices=("track", "orb", "none"), default="track", help="as in the recipe")
    parser.add_argument(
        "--moved", type=int, metavar="N",
        help="fit each registered frame also N times as from a camera that was moved a little (default 2)",
    )  # fmt: skip
    image = parser.add_argument_group("image level")
    image.add_argument("--embedding", choices=("backbone", "head"), help="the vector (default: as the project does)")
    image.add_argument("--normalise", choices=("yes", "no"), help="to length 1 (default: as the project does)")
    image.add_argument("--density", choices=("gaussian", "kde"), help="of the good images (default: as the project does)")
    image.add_argument("--bandwidth", type=float, default=1.0, metavar="H", help="of the kernels of kde (default 1)")
    image.add_argument("--gaussian", type=Path, metavar="NPZ", help="arrays mean and precision, instead of fitting")
    image.add_argument("--block", choices=("layer4", "branch"), help="where a masked block (SSPCAB) of the file stands")
    image.add_argument("--block-dilation", type=int, default=1, metavar="D", help="of the masked block (default 1)")
    patch = parser.add_argument_group("patch level")
    patch.add_argument("--stages", default="1,2,3", metavar="LIST", help="whose maps (default 1,2,3)")
    patch.add_argument("--channels", type=int, default=100, metavar="N", help="drawn from all of them (default 100)")
    patch.add_argument("--seed", type=int, default=1024, metavar="N", help="of the draw (default 1024)")
    patch.add_argument("--epsilon", type=float, default=0.01, metavar="E", help="added to the covariance (default 0.01)")
    patch.add_argument("--sigma", type=float, default=4.0, metavar="PX", help="of the smoothing (default 4; 0: none)")
    parser.add_argument("--quiet", action="store_true", help="no progress, only the result")


def run(args: argparse.Namespace) -> int:
    """Fit, prove and write; 0. Raises ConfigError, FrameError, BundleError."""
    from export.adapters.mahalanobis_bundle import golden, licence_of
    from export.adapters.mahalanobis_network import read_source
    from export.module_bundle import write_module_bundle
    from export.options import created_by, size_of, tell, training_of

    source = read_source(args.checkpoint)
    layout = source.layout
    size_wh = size_of(args.size, most=_LARGEST_SIDE)
    fitted, prepared = _fit(args, source, size_wh)
    declaration = fitted.declaration(created_by(), training_of(args.trained_on))
    vectors = golden(declaration, prepared, args.golden)
    bundle = write_module_bundle(
        args.out, fitted.module, declaration, vectors, licence_of(layout), float16=not args.float32_only
    )
    for name, why in prepared.refused if prepared else ():
        sys.stderr.write(f"lineclear-export: refused {name}: could not be registered ({why})\n")
    if layout.others:
        sys.stderr.write(f"lineclear-export: {layout.others} tensors of other parts of the file are not needed\n")
    frames = f"{len(prepared.used)} good frames" if prepared else "Gaussian from a file"
    return tell(bundle, args.out, layout.words, args.level, frames)


def _fit(args: argparse.Namespace, source: Source, size_wh: tuple[int, int]) -> tuple[Fitted, Prepared | None]:
    from export.adapters import mahalanobis as adapter
    from export.adapters import mahalanobis_settings as choices

    checkpoint, layout = source.checkpoint, source.layout
    kernel = args.resize or choices.kernel_of(layout)
    if args.level == "patch":
        _refuse(args, ("embedding", "normalise", "density", "gaussian", "block"), "of --level image")
        places = choices.PlaceSettings(
            size_wh, _stages(args.stages), int(_between(args, "channels", 1, 4096)), args.seed,
            _between(args, "epsilon", 1e-6, 1e3), _between(args, "sigma", 0.0, 64.0),
        )  # fmt: skip
        prepared = _prepared(args, size_wh, kernel)
        return adapter.fit_places(checkpoint, places, prepared, kernel), prepared
    normalise = None if args.normalise is None else args.normalise == "yes"
    settings = choices.ImageSettings(
        size_wh, args.embedding, normalise, args.density, _between(args, "bandwidth", 1e-6, 1e6),
        args.block, int(_between(args, "block_dilation", 1, 16)),
    ).settled(layout)  # fmt: skip
    if args.gaussian is None:
        prepared = _prepared(args, size_wh, kernel)
        return adapter.fit_image(checkpoint, settings, prepared, kernel), prepared
    _refuse(args, ("images", "density"), "not used with --gaussian")
    return adapter.given_image(checkpoint, settings, kernel, args.gaussian), None


def _prepared(args: argparse.Namespace, size_wh: tuple[int, int], kernel: ResizeKernel) -> Prepared:
    from edge.cameras.images import read_image
    from edge.schema import load_yaml
    from edge.settings.judging import MasksFile
    from edge.settings.registration import RegistrationSettings
    from export.adapters.good_frames import frames_in, prepare

    if args.images is None:
        raise ConfigError("is needed: the density is fitted to good images", where="--images", remedy="name a folder of them")
    return prepare(
        frames_in(args.images, args.quiet),
        size_wh,
        kernel,
        reference=None if args.reference is None else read_image(args.reference),
        register=RegistrationSettings(mode=args.registration),
        polygons=() if args.masks is None else load_yaml(MasksFile, args.masks).masks,
        moved=2 if args.moved is None else int(_between(args, "moved", 0, 100)),
    )


def _stages(text: str) -> tuple[int, ...]:
    stages = tuple(int(part) if part.strip() in ("1", "2", "3", "4") else 0 for part in text.split(","))
    if 0 in stages or list(stages) != sorted(set(stages)):
        raise ConfigError(f"{text!r} is no list of stages", where="--stages", remedy="write for example 1,2,3")
    return stages


def _between(args: argparse.Namespace, name: str, least: float, most: float) -> int | float:
    value: int | float = getattr(args, name)
    if not least <= value <= most:
        raise ConfigError(
            f"{value} is not possible", where=f"--{name.replace('_', '-')}", remedy=f"write {least:g} to {most:g}"
        )
    return value


def _refuse(args: argparse.Namespace, names: Sequence[str], why: str) -> None:
    for name in names:
        if getattr(args, name) is not None:
            raise ConfigError(f"is {why}", where=f"--{name}", remedy="leave it out")
