"""`lineclear-export variation`: a folder of good images -> a bundle."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.cameras.folder import good_images
from edge.cameras.images import read_image
from edge.cli.progress import Progress
from edge.errors import ConfigError
from edge.masks import rasterise
from edge.schema import load_yaml
from edge.settings.judging import MasksFile
from edge.settings.registration import RegistrationSettings
from edge.types import ImageU8, MaskBool
from export.adapters.variation import LEAST_SIDE, MAX_MEGAPIXELS, Built, GoodFrame, build, model_size
from export.adapters.variation_model import VariationSettings

_LARGEST_SIDE = 4096


def export_variation(args: argparse.Namespace) -> int:
    """Learn from --images and write --out; 0. Raises ConfigError, FrameError, BundleError."""
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
    bundle = built.write(args.out, f"lineclear-export {importlib.metadata.version('lineclear')}")
    width, height = size_wh
    window = bundle.manifest.score.window
    frames = f"{len(built.used)} of {len(paths)} frames"
    sys.stdout.write(f"{bundle.name}  {args.out}  {frames}  {width}x{height}  window {window}\n")
    return 0


def _frames(paths: Sequence[Path], quiet: bool) -> Iterator[GoodFrame]:
    for path in Progress("register", paths, quiet=quiet):
        image = read_image(path)
        yield GoodFrame(image, path.name, hashlib.sha256(path.read_bytes()).hexdigest())


def _judged(masks: Path | None, reference: ImageU8) -> MaskBool | None:
    if masks is None:
        return None
    polygons = load_yaml(MasksFile, masks).masks
    return ~rasterise(polygons, (reference.shape[1], reference.shape[0]))


def _size(text: str | None, max_megapixels: float | None, reference_wh: tuple[int, int]) -> tuple[int, int]:
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
