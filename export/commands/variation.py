"""`lineclear-export variation`: a folder of good images -> a bundle."""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.types import ImageU8, MaskBool
    from export.adapters.registering import GoodFrame
    from export.adapters.variation import Built
    from export.adapters.variation_model import VariationSettings

SUMMARY = "learn the variation model from good images"

DESCRIPTION = """\
Learn the variation model: the median of good frames is the ideal image, and how far they spread around it is what is
allowed. No training, no GPU, seconds of work. It is the station's default model and the one that others must beat.

Take 15 to 30 good frames as the station will take them: same camera, exposure and light, over a shift rather than within
a minute, so that the spread of a normal day is in them. Keep other good frames back for the thresholds: the images that
built a model never make its thresholds (lineclear-calibrate refuses them).

Every frame is registered to the reference. Those that cannot be are refused and listed; fewer than 5 that can are an
error. A frame that differs far more from the ideal than the others is named: look whether it is good at all.
"""

EPILOG = """\
examples:
  lineclear-export variation --images good/front --out bundles/front
  lineclear-export variation --images good/front --out front.zip --reference good/front/017.png --size 640x480
"""

_LARGEST_SIDE = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--images", required=True, type=Path, metavar="DIR", help="folder of good frames, at least 5")
    parser.add_argument("--out", required=True, type=Path, metavar="BUNDLE", help="folder to write, or a file NAME.zip")
    parser.add_argument("--reference", type=Path, metavar="IMAGE", help="register to this one (default: the first frame)")
    parser.add_argument("--masks", type=Path, metavar="FILE", help="masks.yaml: nothing under a mask guides the registration")
    parser.add_argument(
        "--registration", choices=("track", "orb", "none"), default="track", help="as in the recipe (default track)"
    )
    parser.add_argument("--size", metavar="WxH", help="model size in pixels (default: half the reference's size)")
    parser.add_argument(
        "--max-megapixels", type=float, metavar="MP", help="bound of the default size (default 0.5); larger is slower"
    )
    parser.add_argument("--window", type=int, metavar="PX", help="side of the score's mean filter, odd (default width / 32)")
    parser.add_argument("--quiet", action="store_true", help="no progress, only the result")


def run(args: argparse.Namespace) -> int:
    """Learn from --images and write --out; 0. Raises ConfigError, FrameError, BundleError."""
    from edge.cameras.folder import good_images
    from edge.cameras.images import read_image
    from edge.settings.registration import RegistrationSettings
    from export.adapters.variation import build
    from export.options import created_by

    paths = good_images(args.images)
    reference = read_image(args.reference or paths[0])
    size_wh = _size(args.size, args.max_megapixels, (reference.shape[1], reference.shape[0]))
    built = build(
        _frames(paths, args.quiet),
        reference,
        _settings(args.window, size_wh),
        size_wh=size_wh,
        register=RegistrationSettings(mode=args.registration),
        judged=_judged(args.masks, reference),
    )
    for line in _remarks(built):
        sys.stderr.write(f"lineclear-export: {line}\n")
    bundle = built.write(args.out, created_by())
    width, height = size_wh
    window = bundle.manifest.score.window
    frames = f"{len(built.used)} of {len(paths)} frames"
    sys.stdout.write(f"{bundle.name}  {args.out}  {frames}  {width}x{height}  window {window}\n")
    return 0


def _frames(paths: Sequence[Path], quiet: bool) -> Iterator[GoodFrame]:
    from edge.cameras.images import read_image
    from edge.cli.progress import Progress
    from export.adapters.registering import GoodFrame

    for path in Progress("register", paths, quiet=quiet):
        image = read_image(path)
        yield GoodFrame(image, path.name, hashlib.sha256(path.read_bytes()).hexdigest())


def _judged(masks: Path | None, reference: ImageU8) -> MaskBool | None:
    from edge.masks import rasterise
    from edge.schema import load_yaml
    from edge.settings.judging import MasksFile

    if masks is None:
        return None
    polygons = load_yaml(MasksFile, masks).masks
    return ~rasterise(polygons, (reference.shape[1], reference.shape[0]))


def _size(text: str | None, max_megapixels: float | None, reference_wh: tuple[int, int]) -> tuple[int, int]:
    from export.adapters.variation import LEAST_SIDE, MAX_MEGAPIXELS, model_size

    if text is None:
        megapixels = MAX_MEGAPIXELS if max_megapixels is None else max_megapixels
        if not 0.001 <= megapixels <= 16:
            raise ConfigError(f"{megapixels:g} is not possible", where="--max-megapixels", remedy="write 0.001 to 16")
        return model_size(reference_wh, megapixels)
    if max_megapixels is not None:
        raise ConfigError("says the same as --size", where="--max-megapixels", remedy="give one of the two")
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text)
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(LEAST_SIDE <= side <= min(_LARGEST_SIDE, most) for side, most in zip(sides, reference_wh, strict=True)):
        remedy = f"write WIDTHxHEIGHT, each {LEAST_SIDE} up to the reference's {reference_wh[0]}x{reference_wh[1]}"
        raise ConfigError(f"{text!r} is no usable size", where="--size", remedy=remedy)
    return sides


def _settings(window: int | None, size_wh: tuple[int, int]) -> VariationSettings:
    from export.adapters.variation_model import VariationSettings

    if window is None:
        return VariationSettings()
    if window % 2 == 0 or not 3 <= window <= max(size_wh) // 2:
        raise ConfigError(f"{window} is not possible", where="--window", remedy=f"an odd number, 3 to {max(size_wh) // 2}")
    return VariationSettings(window=window / max(size_wh))


def _remarks(built: Built) -> Iterator[str]:
    for name, why in built.refused:
        yield f"refused {name}: could not be registered ({why})"
    for name, score, typical in built.suspects:
        yield f"look at {name}: it scores {score:.2f} where good frames typically score {typical:.2f}"
