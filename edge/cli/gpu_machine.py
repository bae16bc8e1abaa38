"""What a machine has to judge on a GPU with: GPUs, driver, TensorRT, packages. Each part that is missing says why."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from edge.bundle import Bundle
from edge.doctor.libraries import version_of
from edge.engines.base import Engine
from edge.engines.device_memory import Backend
from edge.engines.gpus import EngineUnavailable, Gpu, gpu_inventory
from edge.engines.memory_choice import choose_backend
from edge.engines.trt_api import Flavour, TrtApi, load_trt
from edge.errors import EngineFault
from edge.parts import make_engine
from edge.settings.engines import EngineSettings

__all__ = ["BACKENDS", "FLAVOURS", "Found", "GpuTools", "find"]

FLAVOURS: Final[tuple[Flavour, ...]] = ("tensorrt", "tensorrt_rtx")
BACKENDS: Final[tuple[Backend, ...]] = ("pycuda", "cuda-python")
_PACKAGES = ("lineclear", "numpy", "onnxruntime", "tensorrt", "tensorrt-rtx", "pycuda", "cuda-python", "cuda-bindings")
_TEGRA = Path("/etc/nv_tegra_release")
_QUERY = "name,driver_version,pstate,clocks.sm,clocks.max.sm,power.limit,temperature.gpu,utilization.gpu"
_TOLD_BY = {
    "nvidia-smi": ["nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv"],
    "nvpmodel": ["nvpmodel", "-q"],
    "jetson_clocks": ["jetson_clocks", "--show"],
}
_PATIENCE_S, _MOST_LETTERS = 20, 4000


@dataclass(frozen=True)
class GpuTools:
    """What the trial is done with; tests give a GPU that is none."""

    inventory: Callable[[], tuple[Gpu, ...]] = gpu_inventory
    load: Callable[[Flavour], TrtApi] = load_trt
    backend: Callable[[Backend], Backend] = choose_backend
    make: Callable[[EngineSettings, Bundle], Engine] = make_engine


@dataclass(frozen=True)
class Found:
    """gpus: empty where there is none. flavours, backends: what can be used; missing: what cannot, and why, by name."""

    gpus: tuple[Gpu, ...]
    flavours: tuple[Flavour, ...]
    backends: tuple[Backend, ...]
    versions: dict[str, str]
    missing: dict[str, str]

    @property
    def why_not(self) -> str:
        """What stands in the way of any GPU engine, "" if nothing does."""
        if not self.gpus:
            return self.missing.get("gpu", "CUDA sees no GPU")
        if not self.flavours:
            return "; ".join(self.missing[name] for name in FLAVOURS)
        return "" if self.backends else "; ".join(self.missing[name] for name in BACKENDS)

    def document(self) -> dict[str, Any]:
        """For the report: also the machine, the packages, and what its own tools say of clocks and power."""
        return {
            "platform": platform.platform(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "jetson": _text(_TEGRA),
            "packages": {name: version_of(name) for name in _PACKAGES},
            "gpus": [asdict(gpu) for gpu in self.gpus],
            "tensorrt": self.versions,
            "memory_backends": list(self.backends),
            "missing": self.missing,
            "told_by": {name: said for name, command in _TOLD_BY.items() if (said := _asked(command))},
        }


def find(tools: GpuTools) -> Found:
    """Look at the machine; never raises for what is not there."""
    missing: dict[str, str] = {}
    gpus: tuple[Gpu, ...] = ()
    try:
        gpus = tools.inventory()
    except EngineUnavailable as error:
        missing["gpu"] = str(error)
    versions: dict[str, str] = {}
    for flavour in FLAVOURS:
        _there(flavour, lambda at=flavour: versions.update({at: tools.load(at).version}), missing)  # type: ignore[misc]
    for backend in BACKENDS:
        _there(backend, lambda at=backend: tools.backend(at), missing)  # type: ignore[misc]
    flavours = tuple(each for each in FLAVOURS if each not in missing)
    backends = tuple(each for each in BACKENDS if each not in missing)
    return Found(gpus, flavours, backends, versions, missing)


def _there(name: str, ask: Callable[[], object], missing: dict[str, str]) -> None:
    try:
        ask()
    except EngineFault as error:
        missing[name] = str(error)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()[:_MOST_LETTERS]
    except OSError:
        return None


def _asked(command: list[str]) -> str:
    """What a tool of the machine prints, "" where there is none or it does not answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()[:_MOST_LETTERS]
