"""TensorRT engines with their real parts; and what `auto` chooses from."""

from __future__ import annotations

from edge.bundle import Bundle
from edge.engines.gpus import gpu_at
from edge.engines.memory_choice import choose_backend, open_memory
from edge.engines.tensorrt import TensorRtEngine
from edge.engines.trt_api import load_trt
from edge.engines.trt_child import ChildPlans
from edge.engines.trt_supply import GpuParts
from edge.settings.engines import GpuSettings

__all__ = ["REAL", "check_gpu", "gpu_engine"]

REAL = GpuParts(load=load_trt, gpu=gpu_at, memory=open_memory, plans=ChildPlans)  # type: ignore[arg-type]


def gpu_engine(bundle: Bundle, settings: GpuSettings) -> TensorRtEngine:
    """The engine; nothing is loaded and no GPU is touched before it is prepared or entered."""
    return TensorRtEngine(bundle, settings, REAL)


def check_gpu(settings: GpuSettings) -> None:
    """EngineUnavailable unless package, driver, GPU and memory package are there: a station asks before it starts."""
    load_trt(settings.kind)
    gpu_at(settings.device)
    choose_backend(settings.memory_backend)
