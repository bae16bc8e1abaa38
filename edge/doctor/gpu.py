"""GPU, driver, CUDA, TensorRT: what is there, and how it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from edge.doctor.check import Case, Check, fail, ok, skip, warn
from edge.doctor.libraries import version_of
from edge.doctor.machine import number, whole
from edge.errors import LineclearError

if TYPE_CHECKING:
    from edge.settings.engines import GpuSettings

PACKAGES: Final = ("tensorrt", "tensorrt-rtx", "pycuda", "cuda-bindings")
_QUERY: Final = "index,name,driver_version,temperature.gpu,clocks_throttle_reasons.active,pstate,memory.used,memory.total"
_SLOWED: Final = {0x4: "power", 0x8: "hardware", 0x20: "heat", 0x40: "heat", 0x80: "power supply"}


def wanted(case: Case) -> tuple[GpuSettings, ...]:
    """The GPU engines that the config may choose, in its order."""
    engine = case.config.engine if case.config is not None else None
    if engine is None or engine.kind in ("onnxruntime", "simulated"):
        return ()
    if engine.kind == "auto":
        return tuple(getattr(engine, kind) for kind in engine.order if kind != "onnxruntime")
    return (engine,) if engine.kind in ("tensorrt", "tensorrt_rtx") else ()


def gpu(case: Case) -> Iterator[Check]:
    """What the driver sees, and what is installed for it."""
    for name in PACKAGES:
        version = version_of(name)
        if version is not None:
            yield ok(name, version)
    yield from _driver(case)
    answer = case.machine.tool("nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits")
    if answer is not None and answer.status == 0:
        for row in answer.out.splitlines():
            yield from _load(row)


def _driver(case: Case) -> Iterator[Check]:
    from edge.engines.gpus import gpu_inventory

    needed = bool(wanted(case)) and case.config is not None and case.config.engine.kind != "auto"
    if not case.machine.is_this_one:
        yield skip("gpu", "not this machine")
        return
    try:
        found = gpu_inventory()
    except LineclearError as error:
        remedy = error.remedy or "install NVIDIA's driver"
        has_device = case.machine.has("/dev/nvidiactl") or case.machine.has("/dev/nvhost-gpu")
        if needed:
            yield fail("gpu", error.message, remedy)
        elif has_device:
            yield warn("gpu", f"there is one, but {error.message}", remedy)
        else:
            yield ok("gpu", "none found, and none is needed")
        return
    for one in found:
        yield ok("gpu", f"{one.index}: {one}, {one.memory_bytes / 1e9:.0f} GB")
    if not found:
        detail = "the driver works and sees none"
        yield fail("gpu", detail, "look at the cables and CUDA_VISIBLE_DEVICES") if needed else ok("gpu", detail)


def _load(row: str) -> Iterator[Check]:
    """One line of nvidia-smi; a field that the GPU does not know is `[N/A]`."""
    fields = [field.strip() for field in row.split(",")]
    if len(fields) != len(_QUERY.split(",")):
        return
    index, _, _, celsius, reasons, state, used, total = fields
    bits = whole(reasons.removeprefix("0x"), 16) or 0
    why = sorted({word for bit, word in _SLOWED.items() if bits & bit})
    heat = f"{celsius} °C, " if number(celsius) is not None else ""
    detail = f"{index}: {heat}{state}, {used} of {total} MB used"
    if why:
        yield warn("gpu load", f"{detail}, slowed down for {', '.join(why)}", "clean its fan, check its power cables")
    else:
        yield ok("gpu load", detail)
