"""Which package allocates the GPU's memory on this machine."""

from __future__ import annotations

import importlib.util
from typing import Literal

from edge.engines.device_memory import Backend, DeviceMemory
from edge.engines.gpus import EngineUnavailable

_MODULES: dict[Backend, str] = {"pycuda": "pycuda", "cuda-python": "cuda.bindings"}


def choose_backend(wanted: Literal["auto", "pycuda", "cuda-python"]) -> Backend:
    """The package to use; auto: pycuda if it is installed, else cuda-python. EngineUnavailable names what to install."""
    candidates: tuple[Backend, ...] = ("pycuda", "cuda-python") if wanted == "auto" else (wanted,)
    for backend in candidates:
        if _installed(_MODULES[backend]):
            return backend
    needed = "neither of the packages pycuda and cuda-python is" if wanted == "auto" else f"the package {wanted} is not"
    raise EngineUnavailable(
        f"{needed} installed",
        where="engine.memory_backend",
        remedy="pip install pycuda (it compiles on this machine), or pip install cuda-python of the driver's CUDA version",
    )


def open_memory(wanted: Literal["auto", "pycuda", "cuda-python"], device: int) -> DeviceMemory:
    """A DeviceMemory for the GPU of this index; nothing is touched before it is entered. EngineUnavailable: no package."""
    if choose_backend(wanted) == "pycuda":
        from edge.engines.pycuda_memory import PycudaMemory

        return PycudaMemory(device)
    from edge.engines.cuda_python_memory import CudaPythonMemory

    return CudaPythonMemory(device)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
