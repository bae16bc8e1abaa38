"""Options that the families' commands share, and what becomes of them."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.bundle import Bundle, Training
    from edge.schema import Closed

ModelT = TypeVar("ModelT", bound="Closed")
LARGEST_SIDE = 4096


def add_output(parser: argparse.ArgumentParser) -> None:
    """--out, --golden, --trained-on: of every family that comes from a checkpoint."""
    parser.add_argument("--out", required=True, type=Path, metavar="BUNDLE", help="folder to write, or a file NAME.zip")
    parser.add_argument(
        "--golden", type=Path, metavar="DIR", help="real images for the golden vectors (default: made-up scenes)"
    )
    parser.add_argument(
        "--trained-on",
        type=Path,
        metavar="DIR",
        help="the images of the training: thresholds are then never taken from one of them",
    )


def add_precision(parser: argparse.ArgumentParser) -> None:
    """--float32-only: for networks that do not bear float16."""
    parser.add_argument(
        "--float32-only", action="store_true", help="without the float16 file: for a network that float16 changes too much"
    )


def training_of(folder: Path | None) -> Training:
    """What --trained-on says: how many images, and their hashes. ConfigError: no images there."""
    from edge.bundle import Training
    from edge.cameras.folder import good_images

    if folder is None:
        return Training()
    hashes = sorted({hashlib.sha256(path.read_bytes()).hexdigest() for path in good_images(folder)})
    return Training(images=len(hashes), sha256=tuple(hashes))


def size_of(
    text: str, *, least: int = 32, most: int = LARGEST_SIDE, multiple: int = 1, where: str = "--size"
) -> tuple[int, int]:
    """Width and height from WIDTHxHEIGHT or one number for a square. ConfigError: other text, or no size of this family."""
    match = re.fullmatch(r"(\d{1,5})(?:[xX](\d{1,5}))?", text)
    sides = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not all(least <= side <= most and side % multiple == 0 for side in sides):
        steps = f", multiples of {multiple}" if multiple > 1 else ""
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise ConfigError(
            f"{shown!r} is no usable size", where=where, remedy=f"write WIDTHxHEIGHT, each {least} to {most}{steps}"
        )
    return sides


def validated(kind: type[ModelT], fields: Mapping[str, object], options: Mapping[str, str]) -> ModelT:
    """The settings of a family. ConfigError says which option is wrong: `options` by field, else --field."""
    from edge.schema import validate

    try:
        return validate(kind, dict(fields), "")
    except ConfigError as error:
        problems = []
        for problem in error.problems:
            field, _, said = problem.removeprefix(": ").partition(": ")
            option = options.get(field, f"--{field.replace('_', '-')}")
            problems.append(said if field.startswith("(") else f"{option}: {said}")
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ConfigError(problems[0] + more, problems=tuple(problems)) from None


def created_by() -> str:
    """What a manifest says of the program that wrote it."""
    return f"lineclear-export {importlib.metadata.version('lineclear')}"


def tell(bundle: Bundle, out: Path, *facts: str) -> int:
    """The one line that says what was written; 0, the exit status."""
    width, height = bundle.manifest.size_wh
    half = bundle.manifest.parameters.get("half_share")
    shares = [f"{half:.0%} of the nodes in float16"] if isinstance(half, float) else []
    if "model.fp16.onnx" not in bundle.manifest.files:
        shares = ["float32 only"]
    sys.stdout.write("  ".join([bundle.name, str(out), f"{width}x{height}", *facts, *shares]) + "\n")
    return 0
