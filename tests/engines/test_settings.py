from __future__ import annotations

from typing import Any

import pytest

from edge.errors import ConfigError
from edge.schema import Closed, validate
from edge.settings.engines import EngineSettings, OnnxRuntimeSettings, SimulatedEngineSettings


class Holder(Closed):
    engine: EngineSettings


def test_kind_chooses_the_settings() -> None:
    assert validate(Holder, {"engine": {"kind": "onnxruntime"}}, "c").engine == OnnxRuntimeSettings(threads=2)
    simulated = {"kind": "simulated", "faults": [{"kind": "nan", "at": [3]}]}
    assert isinstance(validate(Holder, {"engine": simulated}, "c").engine, SimulatedEngineSettings)


@pytest.mark.parametrize(
    "engine",
    [
        {"kind": "auto"},
        {},
        {"kind": "onnxruntime", "threads": 0},
        {"kind": "onnxruntime", "precision": "int8"},
        {"kind": "onnxruntime", "seed": 1},
        {"kind": "simulated", "faults": [{"kind": "nan", "at": [-1]}]},
    ],
)
def test_nothing_else_is_accepted(engine: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^c: engine"):
        validate(Holder, {"engine": engine}, "c")
