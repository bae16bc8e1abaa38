from __future__ import annotations

from typing import Any

import pytest

from edge.errors import ConfigError
from edge.schema import Closed, validate
from edge.settings.engines import (
    AutoSettings,
    EngineSettings,
    OnnxRuntimeSettings,
    SimulatedEngineSettings,
    TensorRtRtxSettings,
    TensorRtSettings,
)


class Holder(Closed):
    engine: EngineSettings


def test_kind_chooses_the_settings() -> None:
    assert validate(Holder, {"engine": {"kind": "onnxruntime"}}, "c").engine == OnnxRuntimeSettings(threads=2)
    simulated = {"kind": "simulated", "faults": [{"kind": "nan", "at": [3]}]}
    assert isinstance(validate(Holder, {"engine": simulated}, "c").engine, SimulatedEngineSettings)


def test_gpu_engines_build_at_the_start_and_take_half_precision_by_default() -> None:
    for kind, expected in (("tensorrt", TensorRtSettings()), ("tensorrt_rtx", TensorRtRtxSettings())):
        settings = validate(Holder, {"engine": {"kind": kind}}, "c").engine
        assert settings == expected
        assert (expected.precision, expected.build, expected.memory) == ("float16", "on_start", "auto")


def test_auto_holds_the_settings_of_each_that_it_may_choose() -> None:
    told = {"kind": "auto", "order": ["tensorrt", "onnxruntime"], "tensorrt": {"kind": "tensorrt", "device": 1}}
    settings = validate(Holder, {"engine": told}, "c").engine
    assert isinstance(settings, AutoSettings)
    assert settings.tensorrt.device == 1
    assert settings.onnxruntime == OnnxRuntimeSettings()


@pytest.mark.parametrize(
    "engine",
    [
        {"kind": "openvino"},
        {},
        {"kind": "onnxruntime", "threads": 0},
        {"kind": "onnxruntime", "precision": "int8"},
        {"kind": "onnxruntime", "seed": 1},
        {"kind": "simulated", "faults": [{"kind": "nan", "at": [-1]}]},
        {"kind": "tensorrt", "precision": "int8"},
        {"kind": "tensorrt", "device": -1},
        {"kind": "tensorrt", "memory": "managed"},
        {"kind": "tensorrt", "memory_backend": "cupy"},
        {"kind": "tensorrt", "build": "in_loop"},
        {"kind": "tensorrt", "threads": 2},
        {"kind": "tensorrt", "dla": True},
        {"kind": "tensorrt_rtx", "version_compatible": True},
        {"kind": "tensorrt_rtx", "workspace_mb": 64},
        {"kind": "auto", "order": []},
        {"kind": "auto", "order": ["simulated"]},
        {"kind": "auto", "order": ["onnxruntime", "onnxruntime"]},
    ],
)
def test_nothing_else_is_accepted(engine: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^c: engine"):
        validate(Holder, {"engine": engine}, "c")
