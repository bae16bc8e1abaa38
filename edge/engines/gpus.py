"""The NVIDIA GPUs of this machine, asked of the driver itself: no package, no context, no memory on the GPU."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import EngineFault

__all__ = ["EngineUnavailable", "Gpu", "gpu_at", "gpu_inventory"]

_LIBRARY = "libcuda.so.1"
_KERNEL_MODULE = Path("/proc/driver/nvidia/version")
_TEGRA = Path("/etc/nv_tegra_release")
_CC_MAJOR, _CC_MINOR, _INTEGRATED = 75, 76, 18
_NO_DRIVER = "install NVIDIA's driver and restart, or set `engine: {kind: onnxruntime}` to judge on the CPU"


class EngineUnavailable(EngineFault):
    """What this engine needs is not on this machine: a GPU, its driver, or a package. Nothing was tried yet."""


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver names it.

    driver: what an engine must not outlive: the kernel module's or Jetson's release where the machine tells it, and the
    CUDA version that the driver speaks. integrated: it shares the CPU's memory (Jetson).
    """

    index: int
    name: str
    compute_capability: tuple[int, int]
    driver: str
    integrated: bool = False
    memory_bytes: int = 0

    @property
    def sm(self) -> str:
        """`SM89`, as TensorRT for RTX names its targets."""
        return "SM{}{}".format(*self.compute_capability)

    def __str__(self) -> str:
        major, minor = self.compute_capability
        return f"{self.name} (compute capability {major}.{minor}, driver {self.driver})"


def gpu_inventory(load: Callable[[str], Any] = ctypes.CDLL) -> tuple[Gpu, ...]:
    """Every GPU that CUDA sees, by index. EngineUnavailable: there is no driver, or it does not work; says which."""
    try:
        library = load(_LIBRARY)
    except OSError:
        raise EngineUnavailable(f"no NVIDIA driver ({_LIBRARY} is not installed)", where="gpu", remedy=_NO_DRIVER) from None
    _ask(library, "cuInit", 0)
    count, version = ctypes.c_int(), ctypes.c_int()
    _ask(library, "cuDriverGetVersion", ctypes.byref(version))
    _ask(library, "cuDeviceGetCount", ctypes.byref(count))
    driver = f"{_release()}cuda {version.value // 1000}.{version.value % 1000 // 10}"
    return tuple(_gpu(library, index, driver) for index in range(count.value))


def gpu_at(index: int, load: Callable[[str], Any] = ctypes.CDLL) -> Gpu:
    """The GPU of this index. EngineUnavailable if there is none."""
    found = gpu_inventory(load)
    if index >= len(found):
        there = ", ".join(f"{gpu.index}: {gpu.name}" for gpu in found) or "none"
        remedy = "correct `device` in the config, or look at the cables and at CUDA_VISIBLE_DEVICES"
        raise EngineUnavailable(f"there is no GPU {index} (found: {there})", where="gpu", remedy=remedy)
    return found[index]


def _gpu(library: Any, index: int, driver: str) -> Gpu:
    handle, size, name = ctypes.c_int(), ctypes.c_size_t(), ctypes.create_string_buffer(256)
    _ask(library, "cuDeviceGet", ctypes.byref(handle), index)
    _ask(library, "cuDeviceGetName", name, len(name), handle)
    _ask(library, "cuDeviceTotalMem_v2", ctypes.byref(size), handle)
    major, minor, integrated = (_attribute(library, which, handle) for which in (_CC_MAJOR, _CC_MINOR, _INTEGRATED))
    return Gpu(index, name.value.decode("utf-8", "replace"), (major, minor), driver, bool(integrated), size.value)


def _attribute(library: Any, which: int, handle: ctypes.c_int) -> int:
    value = ctypes.c_int()
    _ask(library, "cuDeviceGetAttribute", ctypes.byref(value), which, handle)
    return value.value


def _ask(library: Any, call: str, *arguments: Any) -> None:
    code = getattr(library, call)(*arguments)
    if code != 0:
        raise EngineUnavailable(f"NVIDIA's driver does not work ({call}: CUDA error {code})", where="gpu", remedy=_NO_DRIVER)


def _release() -> str:
    """`580.65.06 ` from the kernel module, `R36.4 ` on a Jetson, nothing where neither says so."""
    for path, pattern in ((_KERNEL_MODULE, r"\b(\d{3,}\.\d+(?:\.\d+)?)\b"), (_TEGRA, r"(R\d+).*?REVISION: ([\d.]+)")):
        try:
            match = re.search(pattern, path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
        if match:
            return ".".join(match.groups()) + " "
    return ""
