"""The stand-ins against what they stand for: a fake that accepts what TensorRT refuses proves nothing."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from edge.engines.trt_builder import _UNTYPED_LAYERS
from edge.engines.trt_layers import _MULTIPLYING
from edge.engines.trt_runner import _DTYPES
from tests.engines.fake_gpu import FakeGpu
from tests.engines.fake_trt import RELEASES, fake_module
from tests.engines.fake_trt.network import CONFIG_OWN, Network

BINDINGS: dict[str, dict[str, list[str]]] = json.loads((Path(__file__).parent / "fake_trt" / "bindings.json").read_text())
# The bindings of a release; 11.4 is not published, 11.1 is the last that is.
SOURCE_OF = {"8.6.1": "8.6.1", "10.3.0": "10.3.0", "10.13.3.9": "10.13.3", "11.4.0.106": "11.1.0"}
ENUMS = (
    "BuilderFlag", "DataType", "HardwareCompatibilityLevel", "LayerInformationFormat", "LayerType", "MemoryPoolType",
    "NetworkDefinitionCreationFlag", "ProfilingVerbosity", "TensorIOMode",
)  # fmt: skip
CLASSES = ("Builder", "IBuilderConfig", "ICudaEngine", "IExecutionContext", "ILayer", "OnnxParser", "Runtime")
# What the tests ask of a stand-in and lineclear never does.
OWN = {
    "IBuilderConfig": {*CONFIG_OWN},
    "INetworkDefinition": {"strongly_typed"},
    "Runtime": {"logger"},
}


def public(thing: Any) -> set[str]:
    return {name for name in vars(thing) if not name.startswith("_")}


def stand_ins(version: str) -> dict[str, set[str]]:
    module = fake_module(RELEASES[version], FakeGpu())
    found = {name: public(getattr(module, name)) for name in CLASSES}
    found["INetworkDefinition"] = public(Network)
    return {name: names - OWN.get(name, set()) for name, names in found.items()}


def real_rtx(name: str) -> set[str]:
    real = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    return set(dir(getattr(real, name)))


def names_of(version: str, name: str) -> set[str]:
    return real_rtx(name) if version == "1.7.1.116" else set(BINDINGS[SOURCE_OF[version]][name])


@pytest.mark.parametrize("version", RELEASES)
class TestNames:
    def test_a_stand_in_has_no_method_that_the_real_class_lacks(self, version: str) -> None:
        for name, names in stand_ins(version).items():
            assert names <= names_of(version, name), name

    def test_nor_a_member_that_the_real_enumeration_lacks(self, version: str) -> None:
        module = fake_module(RELEASES[version], FakeGpu())
        for name in ENUMS:
            assert set(getattr(module, name).__members__) <= names_of(version, name), name

    def test_what_is_said_to_be_gone_is_gone(self, version: str) -> None:
        for path in RELEASES[version].gone:
            owner, _, attribute = path.rpartition(".")
            if owner:
                assert attribute not in names_of(version, owner), path
            elif version in SOURCE_OF:
                assert attribute not in BINDINGS[SOURCE_OF[version]], path

    def test_what_the_builder_asks_for_by_name_is_there_exactly_where_the_real_one_has_it(self, version: str) -> None:
        module = fake_module(RELEASES[version], FakeGpu())
        for owner, attribute in (("BuilderFlag", "STRICT_NANS"), ("NetworkDefinitionCreationFlag", "STRONGLY_TYPED")):
            assert hasattr(getattr(module, owner), attribute) == (attribute in names_of(version, owner))
        if version in SOURCE_OF:
            assert hasattr(module, "IProgressMonitor") == ("IProgressMonitor" in BINDINGS[SOURCE_OF[version]])

    def test_attributes_that_the_real_one_has_not_cannot_be_set(self, version: str) -> None:
        module = fake_module(RELEASES[version], FakeGpu())
        config = module.IBuilderConfig()
        for name in ("max_workspace_size", "engine_capabilty"):
            with pytest.raises(AttributeError):
                setattr(config, name, 1)
        if version == "8.6.1":
            with pytest.raises(AttributeError):
                config.progress_monitor = None

    def test_an_enumeration_is_no_number(self, version: str) -> None:
        flag: Any = fake_module(RELEASES[version], FakeGpu()).BuilderFlag.TF32
        assert int(flag) >= 0
        with pytest.raises(TypeError):
            1 << flag


class TestRealRtx:
    @pytest.fixture
    def real(self) -> Any:
        return pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")

    def test_the_enumerations_behave_as_the_stand_ins(self, real: Any) -> None:
        fake = fake_module(RELEASES["1.7.1.116"], FakeGpu())
        for module in (real, fake):
            assert int(module.NetworkDefinitionCreationFlag.STRONGLY_TYPED) == 0
            assert module.DataType.HALF.name == "HALF"
            with pytest.raises(TypeError):
                1 << module.BuilderFlag.TF32

    def test_arguments_are_named_as_in_the_stand_ins(self, real: Any) -> None:
        fake = fake_module(RELEASES["1.7.1.116"], FakeGpu())
        calls = (
            ("IExecutionContext", "set_tensor_address"), ("IExecutionContext", "execute_async_v3"),
            ("Builder", "create_network"), ("Builder", "build_serialized_network"), ("IBuilderConfig", "set_flag"),
            ("ICudaEngine", "get_tensor_mode"), ("ICudaEngine", "get_tensor_name"), ("OnnxParser", "get_error"),
        )  # fmt: skip
        for owner, call in calls:
            told = getattr(getattr(real, owner), call).__doc__ or ""
            for argument in [*inspect.signature(getattr(getattr(fake, owner), call)).parameters][1:]:
                assert f"{argument}:" in told, (owner, call, argument)

    @pytest.mark.parametrize(
        ("owner", "calls"),
        [
            ("IRuntimeConfig", ("create_runtime_cache", "set_runtime_cache")),
            ("IRuntimeCache", ("serialize", "deserialize")),
            ("EngineInspector", ("get_engine_information",)),
            ("ITimingCache", ("serialize",)),
            ("IProgressMonitor", ("phase_start", "step_complete", "phase_finish")),
            ("ParserError", ("desc", "node")),
            ("ITensor", ("name", "dtype", "shape", "is_shape_tensor")),
        ],
    )
    def test_the_smaller_parts_are_there(self, real: Any, owner: str, calls: tuple[str, ...]) -> None:
        assert set(calls) <= set(dir(getattr(real, owner)))


@pytest.mark.parametrize("version", SOURCE_OF.values())
def test_the_smaller_parts_are_in_the_bindings(version: str) -> None:
    names = BINDINGS[version]
    assert {"desc", "node"} <= set(names["ParserError"])
    assert {"name", "dtype", "shape", "is_shape_tensor"} <= set(names["ITensor"])
    assert {"get_engine_information"} <= set(names["EngineInspector"])
    assert {"serialize"} <= set(names["ITimingCache"])
    later = {"FULLY_CONNECTED"} if version != "8.6.1" else set()
    assert {*_MULTIPLYING} - later <= set(names["LayerType"]), "a layer that multiplies has another name"
    assert set(_DTYPES) - ({"INT64"} if version == "8.6.1" else set()) <= set(names["DataType"])


def test_8_6_knows_the_layers_that_get_no_precision_there() -> None:
    assert {*_UNTYPED_LAYERS} <= set(BINDINGS["8.6.1"]["LayerType"])
