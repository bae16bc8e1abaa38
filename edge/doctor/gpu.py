"""GPU, driver, CUDA, TensorRT, and the engines that are kept for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge.doctor.check import Case, Check, fail, ok, skip, warn
from edge.doctor.libraries import version_of
from edge.doctor.machine import number, whole
from edge.errors import LineclearError

if TYPE_CHECKING:
    from edge.engines.trt_plans import PlanOrder
    from edge.settings.engines import GpuSettings

PACKAGES: Final = ("tensorrt", "tensorrt-rtx", "pycuda", "cuda-bindings")
_QUERY: Final = "index,name,driver_version,temperature.gpu,clocks_throttle_reasons.active,pstate,memory.used,memory.total"
_SLOWED: Final = {0x4: "power", 0x8: "hardware", 0x20: "heat", 0x40: "heat", 0x80: "power supply"}
_DIFFER: Final = {
    "onnx_sha256": "the model", "backend": "the backend", "version": "TensorRT", "gpu": "the GPU",
    "compute_capability": "the GPU's kind", "driver": "the driver", "options": "the build's options",
}  # fmt: skip


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


def engines(case: Case) -> Iterator[Check]:
    """Which kept engines fit this machine as it is now, and why the others would be built again."""
    settings = wanted(case)
    if not settings:
        yield skip("engine cache", "no GPU engine is configured")
        return
    for one in settings:
        name = f"engine cache {one.kind}"
        try:
            yield from _cached(case, one)
        except LineclearError as error:
            optional = case.config is not None and case.config.engine.kind == "auto"
            made = warn if optional else fail
            yield made(name, error.message, error.remedy or "see docs/station.md, Engines")


def _cached(case: Case, settings: GpuSettings) -> Iterator[Check]:
    from edge.engines.gpus import gpu_at
    from edge.engines.memory_choice import choose_backend
    from edge.engines.trt_api import load_trt
    from edge.engines.trt_plans import order_of
    from edge.engines.trt_supply import build_options, cache_of
    from edge.recipe import load_recipe

    api, found = load_trt(settings.kind), gpu_at(settings.device)
    backend = choose_backend(settings.memory_backend)
    cache = cache_of(settings)
    headers = [entry.header for entry in cache.entries() if isinstance(entry.header.get("key"), dict)]
    held = sum(entry.size_bytes for entry in cache.entries()) / 1e6
    detail = f"{len(headers)} engines, {held:.0f} MB in {cache.folder}; {settings.kind} {api.version}, memory by {backend}"
    yield ok(f"engine cache {settings.kind}", detail)
    options = build_options(settings, found.sm)
    assert case.config is not None  # noqa: S101
    for view, configured in case.config.views.items():
        bundle = load_recipe(Path(configured.recipe.replace("{product}", case.config.product or ""))).bundle
        for graph in bundle.graphs:
            order = order_of(bundle, graph.name, settings.kind, api.version, options, gpu=found, device=settings.device)
            yield _planned(f"engine {view}", order, headers, settings.build == "on_start")


def _planned(name: str, order: PlanOrder, headers: list[Mapping[str, Any]], builds: bool) -> Check:
    wanted_key = {**asdict(order.key), "options": [list(pair) for pair in order.key.options]}
    keys = [header["key"] for header in headers]
    if wanted_key in keys:
        return ok(name, f"{order.where}: its engine is there")
    detail = f"{order.where}: {rebuilt_because(wanted_key, keys)}"
    if builds:
        return warn(name, detail, "the next start builds it, which takes minutes: build it ahead with lineclear-export engine")
    return fail(name, detail, "build it ahead with lineclear-export engine, or write `build: on_start`")


def rebuilt_because(wanted_key: Mapping[str, Any], keys: list[Any]) -> str:
    """Why no kept engine fits: what the nearest one of the same model differs in."""
    same = [
        key
        for key in keys
        if isinstance(key, dict) and all(key.get(part) == wanted_key[part] for part in ("onnx_sha256", "backend"))
    ]
    differing = [[part for part in _DIFFER if key.get(part) != wanted_key[part]] for key in same]
    if not differing:
        return "no engine was built of this model yet"
    at = min(range(len(differing)), key=lambda index: len(differing[index]))
    words = (f"{_DIFFER[part]} was {_short(same[at].get(part))} and is {_short(wanted_key[part])}" for part in differing[at])
    return f"its engine fits no more: {'; '.join(words)}"


def _short(value: object) -> str:
    return str(value)[:80] or "none"
