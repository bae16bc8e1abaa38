"""The one place that names concrete engines and publishers (cameras: `edge.cameras.opening`, in their process)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from edge.bundle import Bundle
from edge.engines.base import Engine
from edge.publishers.base import Publisher
from edge.settings.engines import (
    AutoSettings,
    EngineSettings,
    OnnxRuntimeSettings,
    TensorRtRtxSettings,
    TensorRtSettings,
)
from edge.settings.mqtt import MqttSettings, PublisherSettings, StationAddress

__all__ = ["Engine", "Publisher", "check_engine", "make_engine", "make_publisher"]


def make_publisher(settings: PublisherSettings, address: StationAddress, state_dir: Path) -> Publisher:
    """The publisher that `settings.kind` names."""
    match settings:
        case MqttSettings():
            from edge.publishers.mqtt import MqttPublisher

            return MqttPublisher(settings, address, state_dir)
        case _:
            from edge.publishers.memory import MemoryPublisher

            return MemoryPublisher(settings)


def make_engine(settings: EngineSettings, bundle: Bundle) -> Engine:
    """The engine that `settings.kind` names."""
    match settings:
        case OnnxRuntimeSettings():
            from edge.engines.onnxruntime import OnnxRuntimeEngine

            return OnnxRuntimeEngine(bundle, settings)
        case TensorRtSettings() | TensorRtRtxSettings():
            from edge.engines.gpu_engine import gpu_engine

            return gpu_engine(bundle, settings)
        case AutoSettings():
            from edge.engines.auto import AutoEngine

            return AutoEngine([(kind, partial(make_engine, getattr(settings, kind), bundle)) for kind in settings.order])
        case _:
            from edge.engines.simulated import SimulatedEngine

            return SimulatedEngine(bundle.manifest, settings, reference=bundle.reference())


def check_engine(settings: EngineSettings) -> None:
    """EngineUnavailable (an EngineFault) if the config names a GPU engine and this machine lacks what it needs.

    A station asks this before it opens anything: without its GPU it refuses to start, and says what to do. `auto` is told
    when it opens.
    """
    if isinstance(settings, TensorRtSettings | TensorRtRtxSettings):
        from edge.engines.gpu_engine import check_gpu

        check_gpu(settings)
