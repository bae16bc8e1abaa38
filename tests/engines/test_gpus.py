from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from edge.engines import gpus
from edge.engines.gpus import EngineUnavailable, gpu_at, gpu_inventory
from edge.errors import EngineFault


class FakeDriver:
    """libcuda.so.1, as far as it is asked. broken: the call that fails."""

    def __init__(self, names: list[bytes], broken: str = "") -> None:
        self._names = names
        self._broken = broken

    def _answer(self, call: str, target: Any = None, value: Any = None) -> int:
        if call == self._broken:
            return 999
        if target is not None:
            target._obj.value = value
        return 0

    def cuInit(self, flags: int) -> int:
        return self._answer("cuInit") if flags == 0 else 1

    def cuDriverGetVersion(self, version: Any) -> int:
        return self._answer("cuDriverGetVersion", version, 13020)

    def cuDeviceGetCount(self, count: Any) -> int:
        return self._answer("cuDeviceGetCount", count, len(self._names))

    def cuDeviceGet(self, handle: Any, index: int) -> int:
        return self._answer("cuDeviceGet", handle, index)

    def cuDeviceGetName(self, buffer: Any, size: int, handle: Any) -> int:
        buffer.value = self._names[handle.value][:size]
        return self._answer("cuDeviceGetName")

    def cuDeviceTotalMem_v2(self, size: Any, handle: Any) -> int:
        return self._answer("cuDeviceTotalMem_v2", size, 8 << 30)

    def cuDeviceGetAttribute(self, value: Any, which: int, handle: Any) -> int:
        return self._answer("cuDeviceGetAttribute", value, {75: 8, 76: 7 + handle.value, 18: 1}[which])


@pytest.fixture(autouse=True)
def no_release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(gpus, "_KERNEL_MODULE", tmp_path / "version")
    monkeypatch.setattr(gpus, "_TEGRA", tmp_path / "nv_tegra_release")
    return tmp_path


def test_every_gpu_is_named_with_what_an_engine_depends_on() -> None:
    first, second = gpu_inventory(lambda name: FakeDriver([b"Orin", b"RTX 4000 Ada \xff"]))
    assert (first.index, first.name, first.compute_capability, first.sm) == (0, "Orin", (8, 7), "SM87")
    assert (second.index, second.sm, second.name) == (1, "SM88", "RTX 4000 Ada \ufffd")
    assert first.integrated
    assert first.memory_bytes == 8 << 30
    assert str(first) == "Orin (compute capability 8.7, driver cuda 13.2)"
    assert gpu_at(1, lambda name: FakeDriver([b"Orin", b"Ada"])).name == "Ada"


@pytest.mark.parametrize(
    ("file", "text", "driver"),
    [
        ("version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27", "580.65.06 cuda 13.2"),
        ("version", "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build", "540.4.0 cuda 13.2"),
        ("nv_tegra_release", "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic", "R36.4.3 cuda 13.2"),
        ("version", "nothing that is a release", "cuda 13.2"),
    ],
)
def test_the_release_of_the_driver_is_part_of_it(no_release: Path, file: str, text: str, driver: str) -> None:
    (no_release / file).write_text(text)
    assert gpu_inventory(lambda name: FakeDriver([b"Orin"]))[0].driver == driver


def test_no_driver_says_what_to_install() -> None:
    def missing(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    with pytest.raises(EngineUnavailable, match=r"no NVIDIA driver .*install NVIDIA's driver.*onnxruntime"):
        gpu_inventory(missing)
    assert issubclass(EngineUnavailable, EngineFault)


@pytest.mark.parametrize(
    "call", ["cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGetName", "cuDeviceGetAttribute"]
)
def test_a_driver_that_does_not_work_is_named(call: str) -> None:
    with pytest.raises(EngineUnavailable, match=f"{call}: CUDA error 999"):
        gpu_inventory(lambda name: FakeDriver([b"Orin"], call))


@pytest.mark.parametrize(("names", "there"), [([], "none"), ([b"Orin"], "0: Orin")])
def test_a_gpu_that_is_not_there_is_told_with_those_that_are(names: list[bytes], there: str) -> None:
    with pytest.raises(EngineUnavailable, match=rf"there is no GPU 1 \(found: {there}\)"):
        gpu_at(1, lambda name: FakeDriver(names))


def test_this_machine_has_gpus_or_says_why_not() -> None:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        with pytest.raises(EngineUnavailable, match="no NVIDIA driver"):
            gpu_inventory()
    else:
        assert all(gpu.name for gpu in gpu_inventory())
