"""GPU, driver and kept engines: what would be built again, and why."""

from dataclasses import asdict
from pathlib import Path

import pytest

from edge.bundle import open_bundle
from edge.config import load_config
from edge.doctor import gpu as looked
from edge.doctor.check import Case, Status
from edge.doctor.engine_cache import engines, rebuilt_because
from edge.doctor.gpu import gpu
from edge.doctor.machine import Answer
from edge.engines import gpus
from edge.engines.cache import PLAN, EngineCache
from edge.engines.gpus import Gpu
from edge.engines.trt_plans import order_of
from edge.engines.trt_supply import build_options
from edge.errors import LineclearError
from edge.recipe import load_recipe
from edge.settings.engines import TensorRtRtxSettings
from tests.cli.running import RECIPE, station
from tests.doctor.trees import RTX, RTX_TOOLS, checked, grow

KEY = {
    "onnx_sha256": "a", "backend": "tensorrt", "version": "10.3.0", "gpu": "Orin", "compute_capability": "SM87",
    "driver": "R36.4 cuda 12.6", "options": [["builder", "1"]],
}  # fmt: skip
CARD = Gpu(0, "NVIDIA RTX 4000 Ada", (8, 9), "580.65.06 cuda 13.0", memory_bytes=20 << 30)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([], "no engine was built of this model yet"),
        ([{**KEY, "onnx_sha256": "b"}], "no engine was built of this model yet"),
        ([{**KEY, "driver": "R36.2 cuda 12.2"}], "the driver was R36.2 cuda 12.2 and is R36.4 cuda 12.6"),
        ([{**KEY, "version": "8.6", "driver": "x"}, {**KEY, "version": "10.7"}], "TensorRT was 10.7 and is 10.3.0"),
        ([7, None, {"onnx_sha256": "a"}], "no engine was built of this model yet"),
    ],
)  # fmt: skip
def test_why_an_engine_is_built_again(keys: list[object], said: str) -> None:
    assert rebuilt_because(KEY, keys).removeprefix("its engine fits no more: ") == said


@pytest.mark.parametrize(
    ("bits", "status", "word"),
    [
        ("0x0000000000000001", "OK", "64 °C"),  # idle
        ("0x0000000000000004", "WARN", "power"),
        ("0x0000000000000060", "WARN", "heat"),
        ("0x0000000000000080", "WARN", "power supply"),
        ("[N/A]", "OK", "512 of 20475 MB"),
    ],
)
def test_why_a_gpu_slows_down(tmp_path: Path, bits: str, status: str, word: str) -> None:
    said = RTX_TOOLS["nvidia-smi"].out.replace("0x0000000000000001", bits)
    found = checked(gpu(Case(grow(tmp_path, RTX, {"nvidia-smi": Answer(0, said)}))))["gpu load"]
    assert (found.status.value, word in found.detail) == (status, True)


def test_a_gpu_that_the_config_needs_and_that_is_not_there(tmp_path: Path) -> None:
    try:
        gpus.gpu_inventory()
    except LineclearError:
        pass
    else:
        pytest.skip("there is a GPU")
    found = checked(gpu(Case()))["gpu"]
    assert (found.status, found.detail) == (Status.OK, "none found, and none is needed")
    found = checked(gpu(Case(config=load_config(station(tmp_path, engine={"kind": "tensorrt"})))))["gpu"]
    assert (found.status, bool(found.remedy)) == (Status.FAIL, True)
    for kind, status in (("tensorrt_rtx", Status.FAIL), ("auto", Status.WARN)):
        case = Case(config=load_config(station(tmp_path, engine={"kind": kind})))
        assert {check.status for check in checked(engines(case)).values()} == {status}


def test_a_gpu_that_is_there(monkeypatch) -> None:
    monkeypatch.setattr(gpus, "gpu_inventory", lambda: (CARD,))
    found = checked(gpu(Case()))["gpu"]
    assert found.detail == "0: NVIDIA RTX 4000 Ada (compute capability 8.9, driver 580.65.06 cuda 13.0), 21 GB"
    monkeypatch.setattr(gpus, "gpu_inventory", tuple)
    assert checked(gpu(Case()))["gpu"].detail == "the driver works and sees none"


def test_a_cpu_station_has_no_engines_to_keep(tmp_path: Path) -> None:
    (found,) = engines(Case(config=load_config(station(tmp_path))))
    assert found.status is Status.SKIP


@pytest.mark.parametrize("build", ["on_start", "ahead_only"])
def test_engines_that_are_kept(tmp_path: Path, monkeypatch, build: str) -> None:
    """With the real TensorRT for RTX, and a GPU that only the doctor sees."""
    pytest.importorskip("tensorrt_rtx")
    monkeypatch.setattr(gpus, "gpu_at", lambda _: CARD)
    engine = {"kind": "tensorrt_rtx", "cache_dir": str(tmp_path / "cache"), "build": build, "precision": "float32"}
    case = Case(config=load_config(station(tmp_path, engine=engine)))
    found = checked(engines(case))
    assert found["engine cache tensorrt_rtx"].detail.startswith("0 engines, 0 MB in ")
    missing = found["engine feeder"]
    assert missing.status is (Status.WARN if build == "on_start" else Status.FAIL)
    assert "no engine was built of this model yet" in missing.detail
    settings = TensorRtRtxSettings.model_validate(engine)
    bundle = load_recipe(RECIPE).bundle
    version = found["engine cache tensorrt_rtx"].detail.split("tensorrt_rtx ")[1].split(",")[0]
    order = order_of(bundle, "model", "tensorrt_rtx", version, build_options(settings, "SM89"), gpu=CARD)
    key = {**asdict(order.key), "options": [list(pair) for pair in order.key.options]}
    cache = EngineCache(tmp_path / "cache", 1 << 30)
    cache.write("tensorrt_rtx-old", PLAN, {"key": {**key, "version": "1.6.0"}}, b"plan")
    assert "TensorRT was 1.6.0 and is " in checked(engines(case))["engine feeder"].detail
    cache.write(order.key.name, PLAN, {"key": key}, b"plan")
    assert checked(engines(case))["engine feeder"].status is Status.OK
    assert open_bundle(bundle.path).content_hash == bundle.content_hash
    assert looked.PACKAGES
