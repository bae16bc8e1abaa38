"""The one place that names concrete engines and publishers (cameras: `edge.cameras.opening`, in their process)."""

from __future__ import annotations

from pathlib import Path

from edge.bundle import Bundle
from edge.engines.base import Engine
from edge.publishers.base import Publisher
from edge.settings.engines import EngineSettings, OnnxRuntimeSettings
from edge.settings.mqtt import MqttSettings, PublisherSettings, StationAddress

__all__ = ["Engine", "Publisher", "make_engine", "make_publisher"]


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
        case _:
            from edge.engines.simulated import SimulatedEngine

            return SimulatedEngine(bundle.manifest, settings, reference=bundle.reference())
