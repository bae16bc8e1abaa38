"""`lineclear-export engine`: a bundle -> TensorRT engines in the cache."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.engines.preparing import BuildProgress
    from edge.settings.engines import GpuSettings

SUMMARY = "build a bundle's TensorRT engines ahead of time"

DESCRIPTION = """\
Build the engines of a bundle, so that a station finds them in its cache and starts in seconds. A station with
`build: on_start` does the same by itself at its first start; one with `build: ahead_only` needs this.

TensorRT (`--backend tensorrt`: Jetson, any NVIDIA GPU) builds for the very GPU, driver and TensorRT version that it runs
on: run this on the station, as the station's user. TensorRT for RTX (`--backend tensorrt_rtx`: RTX boxes) builds for a
GPU generation, on any machine: name it with --compute-capability, and copy the cache folder.

One line per engine says its size, how long it took, and how many of the model's float16 layers are float16 in the engine.
An engine that lost them is refused.
"""

EPILOG = """\
examples:
  sudo -u lineside lineclear-export engine bundles/front --cache /var/cache/lineclear/engines
  lineclear-export engine bundles/front --backend tensorrt_rtx --compute-capability SM86,SM89 --cache engines
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle's folder or .zip")
    parser.add_argument(
        "--backend", choices=("tensorrt", "tensorrt_rtx"), help="default: tensorrt if it is installed, else tensorrt_rtx"
    )
    parser.add_argument(
        "--cache", "--out", dest="cache", metavar="DIR", help="where to keep the engines (default: the station's cache)"
    )
    parser.add_argument(
        "--compute-capability", metavar="SM89,...", help="tensorrt_rtx: GPU generations to build for (default: this GPU's)"
    )
    parser.add_argument("--precision", choices=("float16", "float32"), default="float16", help="default float16")
    parser.add_argument("--device", type=int, default=0, metavar="N", help="tensorrt: the GPU to build on (default 0)")
    parser.add_argument(
        "--memory-backend", choices=("auto", "pycuda", "cuda-python"), default="auto", help="tensorrt: default auto"
    )
    parser.add_argument("--workspace-mb", type=int, metavar="MB", help="tensorrt: GPU memory to try with (default: all)")
    parser.add_argument("--version-compatible", action="store_true", help="tensorrt: also for newer versions; slower")
    parser.add_argument("--hardware-compatible", action="store_true", help="tensorrt: also for other GPUs; slower")
    parser.add_argument("--timeout", type=float, default=3600.0, metavar="S", help="for one engine (default 3600)")
    parser.add_argument("--quiet", action="store_true", help="no progress, only the result")


def run(args: argparse.Namespace) -> int:
    """Build and print a line each; 0. ConfigError, BundleError, EngineFault."""
    from edge.bundle import open_bundle
    from edge.engines.gpus import gpu_at
    from export.engine import build_ahead, choose_flavour, targets_of

    bundle = open_bundle(args.bundle)
    flavour = choose_flavour(args.backend)
    settings = settings_of(args, flavour)
    targets = targets_of(args.compute_capability, flavour, lambda: gpu_at(settings.device))
    for built in build_ahead(bundle, settings, targets, lambda what: _teller(what, args.quiet)):
        sys.stdout.write(f"{bundle.name}  {built}\n")
    return 0


def settings_of(args: argparse.Namespace, flavour: str) -> GpuSettings:
    """The options as a station's config has them, so that its engines have the same keys. ConfigError: out of range."""
    from edge.errors import ConfigError
    from edge.schema import validate
    from edge.settings.engines import TensorRtRtxSettings, TensorRtSettings

    fields: dict[str, Any] = {
        "precision": args.precision,
        "device": args.device,
        "memory_backend": args.memory_backend,
        "cache_dir": None if args.cache is None else str(Path(args.cache).absolute()),
        "build_timeout_s": args.timeout,
    }
    classic = {
        "workspace_mb": args.workspace_mb,
        "version_compatible": args.version_compatible,
        "hardware_compatible": args.hardware_compatible,
    }
    if flavour == "tensorrt":
        return validate(TensorRtSettings, {**fields, **classic}, "options")
    odd = [name for name, value in classic.items() if value]
    if odd:
        option = "--" + odd[0].replace("_", "-")
        raise ConfigError("is of --backend tensorrt", where=option, remedy="leave it out")
    return validate(TensorRtRtxSettings, fields, "options")


def _teller(what: str, quiet: bool) -> BuildProgress:
    from edge.cli.progress import Meter

    meter = Meter(f"build {what}", quiet=quiet)
    return lambda phase, done, total: meter(done, total, phase)
