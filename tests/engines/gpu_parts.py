"""A whole GPU engine on stand-ins: TensorRT of any release, memory by any package, a GPU that can fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle import Bundle, contract
from edge.engines.gpus import Gpu
from edge.engines.tensorrt import TensorRtEngine
from edge.engines.trt_builder import build_plan
from edge.engines.trt_plans import Plans
from edge.engines.trt_supply import GpuParts
from edge.settings.engines import TensorRtRtxSettings, TensorRtSettings
from tests.bundle.samples import SIZE_WH, declared, random_inputs, write
from tests.engines import graphs
from tests.engines.fake_gpu import FakeGpu
from tests.engines.fake_memory import memory_of
from tests.engines.fake_trt import fake_api

BLACK = {"image": np.zeros((1, graphs.HEIGHT, graphs.WIDTH, 3), np.uint8)}
MACHINES = {
    "jetpack-6.0": {"version": "8.6.1", "memory": "pycuda", "integrated": True},
    "jetpack-6.2": {"version": "10.3.0", "memory": "pycuda", "integrated": True},
    "thor": {"version": "10.13.3.9", "memory": "cuda-python", "integrated": True},
    "desktop": {"version": "11.4.0.106", "memory": "cuda-python"},
    "desktop-pycuda": {"version": "11.4.0.106", "memory": "pycuda"},
    "rtx-box": {"version": "1.7.1.116", "memory": "cuda-python"},
    "numpy": {"version": "10.3.0", "memory": "numpy"},
}


@dataclass
class Rig:
    """One machine. seconds: what its clock says; built, timings: the graphs that were built, and from what."""

    cache: Path
    version: str = "10.3.0"
    memory: str = "numpy"
    driver: str = "580.65.06 cuda 13.0"
    integrated: bool = False
    gpu: FakeGpu = field(default_factory=FakeGpu)
    seconds: float = 100.0
    built: list[str] = field(default_factory=list)
    timings: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.api = fake_api(self.version, self.gpu)

    @property
    def parts(self) -> GpuParts:
        found = Gpu(0, self.gpu.name, (8, 9), self.driver, self.integrated, 8 << 30)
        return GpuParts(
            load=lambda flavour: self.api,
            gpu=lambda index: found,
            memory=lambda backend, device: memory_of(self.memory, self.gpu, device),
            plans=lambda cache, timeout_s: Plans(cache, self._build),
            clock=lambda: self.seconds,
        )

    def _build(self, order: Any, timing: bytes, progress: Any) -> Any:
        self.built.append(order.graph)
        self.timings.append(timing)
        onnx = order.onnx_path.read_bytes()
        if order.flavour == "tensorrt_rtx":
            return build_plan(self.api, onnx, order.options, progress, where=order.where)
        with memory_of(self.memory, self.gpu) as memory, memory.current():
            return build_plan(self.api, onnx, order.options, progress, timing=timing, where=order.where)

    def engine(self, bundle: Bundle, **changes: Any) -> TensorRtEngine:
        kind: Any = TensorRtRtxSettings if self.api.flavour == "tensorrt_rtx" else TensorRtSettings
        return TensorRtEngine(bundle, kind(cache_dir=str(self.cache), **changes), self.parts)


def mean(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"anomaly_map": inputs["image"].astype(np.float32).mean(axis=3)}


def conv_bundle(out: Path, half: bytes | None = None, **changes: Any) -> Bundle:
    """Two convolutions, in float16 in its twin."""
    declaration = changes.pop("declaration", declared())
    inputs = [random_inputs(declaration, seed) for seed in (0, 1)]
    fields = {
        "model": graphs.convolved_mean(),
        "model_fp16": graphs.convolved_mean(half=True) if half is None else half,
        "golden_outputs": [mean(given) for given in inputs],
    }
    return write(out, declaration, golden_inputs=inputs, **{**fields, **changes})


def whole_bundle(out: Path, *, twin: bool = True) -> Bundle:
    """Three inputs and two outputs. twin: with a half-precision graph."""
    declaration = declared(
        inputs=contract(SIZE_WH, ["image", "reference", "keep"]),
        outputs=contract(SIZE_WH, ["anomaly_map", "image_score"]),
        masking={"pre": True},
    )
    inputs, outputs = [random_inputs(declaration, seed) for seed in (0, 1)], []
    for given in inputs:
        distance = np.abs(given["image"].astype(np.float32) - given["reference"]).mean(axis=3) * given["keep"]
        outputs.append({"anomaly_map": distance.astype(np.float32), "image_score": distance.max(axis=(1, 2))})
    graph = graphs.full_contract()
    return write(
        out, declaration, model=graph, model_fp16=graph if twin else None, golden_inputs=inputs, golden_outputs=outputs
    )
