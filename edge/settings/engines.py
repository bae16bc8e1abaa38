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

    raise: EngineFault. nan, infinite: such a score in the map. wrong_shape, wrong_dtype, missing_output: outputs that
    break the graph contract. slow: the answer comes duration_s late. A call fails if its number (from 0) is in `at`, or
    is a multiple of `every`, or by `probability` (drawn from the settings' seed).
    """

    kind: Literal["raise", "nan", "infinite", "wrong_shape", "wrong_dtype", "missing_output", "slow"]
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


EngineSettings = Annotated[OnnxRuntimeSettings | SimulatedEngineSettings, Field(discriminator="kind")]
