"""Which engine runs the bundles of a station, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from edge.schema import Closed

Precision = Literal["float32", "float16"]


class OnnxRuntimeSettings(Closed):
    """ONNX Runtime on the CPU.

    threads: how many cores one inference may use; declared, never "as many as there are", because the cameras, the
    registration and the other views need theirs. Two is right for boxes of 2 to 8 cores. precision: float32 is faster on
    a CPU; float16 runs the bundle's half-precision twin, to see on a desk what a GPU will do.
    """

    kind: Literal["onnxruntime"] = "onnxruntime"
    threads: int = Field(2, ge=1, le=256)
    precision: Precision = "float32"


class SimulatedFault(Closed):
    """One way in which the simulated engine fails, and when.

    raise: EngineFault. nan, infinite: such a score in the map. zeros: nothing but 0. wrong_shape, wrong_dtype, missing_output:
    outputs that break the graph contract. slow: the answer comes duration_s late. hang: it never comes.
    seize: nor does the library let go of the interpreter, so that no thread runs any more. A call fails if its number (from 0)
    is in `at`, or is a multiple of `every`, or by `probability` (drawn from the settings' seed).
    """

    kind: Literal["raise", "nan", "infinite", "zeros", "wrong_shape", "wrong_dtype", "missing_output", "slow", "hang", "seize"]
    at: tuple[Annotated[int, Field(ge=0)], ...] = Field((), max_length=10_000)
    every: int | None = Field(None, ge=1)
    probability: float = Field(0.0, ge=0.0, le=1.0)
    duration_s: float = Field(1.0, gt=0.0, le=3600.0)

    @model_validator(mode="after")
    def _happens(self) -> Self:
        if not self.at and self.every is None and self.probability == 0.0:
            raise ValueError("never happens: write `at`, `every` or `probability`")
        return self


class SimulatedEngineSettings(Closed):
    """No model: for tests and for trying a station out. Its results say that they are simulated.

    map: difference (blurred grey difference to the reference, in grey levels) or noise (seeded, around 0.1).
    checked: False hands malformed outputs on instead of raising, to test what stands behind the engine.
    """

    kind: Literal["simulated"] = "simulated"
    map: Literal["difference", "noise"] = "difference"
    seed: int = Field(0, ge=0)
    blur_px: int = Field(5, ge=1, le=99)
    checked: bool = True
    faults: tuple[SimulatedFault, ...] = Field((), max_length=100)


class _GpuSettings(Closed):
    """What both TensorRTs share.

    precision: float16 runs the bundle's half-precision twin, which is what a GPU is for. device: the GPU's index, as
    `nvidia-smi` counts. memory: pinned copies every frame to the GPU; mapped lets a GPU that shares the CPU's memory
    (Jetson) read it where it lies; auto is mapped there and pinned elsewhere. memory_backend: the package that allocates
    it; auto takes pycuda if it is installed, else cuda-python. build: on_start builds an engine that is not in the cache
    before the first frame (minutes); ahead_only refuses instead. cache_dir: where engines are kept (default: the service's
    cache folder, else ~/.cache/lineclear/engines); cache_mb: how much, the least recently used go first. warm_keeper_s:
    after so long without a frame the last one is computed again, so that an idle GPU does not answer the next one late; 0:
    never. parity: required judges nothing without a parity report of this very engine in the recipe; if_present says that
    there is none (an alarm) and judges. A report that failed blocks either way.
    """

    precision: Precision = "float16"
    device: int = Field(0, ge=0, le=63)
    memory: Literal["auto", "pinned", "mapped"] = "auto"
    memory_backend: Literal["auto", "pycuda", "cuda-python"] = "auto"
    build: Literal["on_start", "ahead_only"] = "on_start"
    build_timeout_s: float = Field(3600.0, ge=10, le=86_400)
    cache_dir: str | None = Field(None, min_length=1)
    cache_mb: int = Field(4096, ge=64, le=1_000_000)
    warm_keeper_s: float = Field(0.5, ge=0.0, le=60.0)
    parity: Literal["required", "if_present"] = "if_present"


class TensorRtSettings(_GpuSettings):
    """TensorRT 8.6, 10.x or 11.x: Jetson and every NVIDIA GPU.

    workspace_mb: GPU memory that a build may try tactics with (default: all there is). version_compatible: the engine also
    runs on newer TensorRT releases; hardware_compatible: also on other GPUs from Ampere on. Both are slower, and an engine
    that is built where it runs needs neither.
    """

    kind: Literal["tensorrt"] = "tensorrt"
    workspace_mb: int | None = Field(None, ge=16, le=1_000_000)
    version_compatible: bool = False
    hardware_compatible: bool = False


class TensorRtRtxSettings(_GpuSettings):
    """TensorRT for RTX: a small install for RTX boxes (Turing and later), not for Jetson and not for data-centre GPUs.

    Its engines are built in seconds, also on a machine without a GPU; the rest is compiled at the first start and kept.
    """

    kind: Literal["tensorrt_rtx"] = "tensorrt_rtx"


class AutoSettings(Closed):
    """The first of `order` that opens on this machine; the station's state and every result say which it was, and why the
    ones before it were not.

    Only for desks and first trials: a line whose cycle time needs the GPU says `kind: tensorrt`, and stands still rather
    than being judged late.
    """

    kind: Literal["auto"] = "auto"
    order: tuple[Literal["tensorrt", "tensorrt_rtx", "onnxruntime"], ...] = Field(
        ("tensorrt", "tensorrt_rtx", "onnxruntime"), min_length=1, max_length=3
    )
    tensorrt: TensorRtSettings = TensorRtSettings()
    tensorrt_rtx: TensorRtRtxSettings = TensorRtRtxSettings()
    onnxruntime: OnnxRuntimeSettings = OnnxRuntimeSettings()

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        if len(set(self.order)) != len(self.order):
            raise ValueError("order names an engine twice")
        return self


GpuSettings = TensorRtSettings | TensorRtRtxSettings
EngineSettings = Annotated[
    OnnxRuntimeSettings | TensorRtSettings | TensorRtRtxSettings | AutoSettings | SimulatedEngineSettings,
    Field(discriminator="kind"),
]


def needs_parity(settings: EngineSettings) -> bool:
    """True if nothing may be judged on the configured GPU without a parity report; of `auto`: on any that it may choose."""
    if isinstance(settings, AutoSettings):
        return any(getattr(settings, kind).parity == "required" for kind in settings.order if kind != "onnxruntime")
    return isinstance(settings, TensorRtSettings | TensorRtRtxSettings) and settings.parity == "required"
