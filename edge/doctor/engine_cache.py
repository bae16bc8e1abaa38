"""The engines that are kept: which fit this machine as it is now, and why the others would be built again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from edge.doctor.check import Case, Check, fail, ok, skip, warn
from edge.doctor.gpu import wanted
from edge.engines import gpus
from edge.engines.memory_choice import choose_backend
from edge.engines.trt_api import load_trt
from edge.engines.trt_plans import PlanOrder, order_of
from edge.engines.trt_supply import build_options, cache_of
from edge.errors import LineclearError
from edge.recipe import load_recipe
from edge.settings.engines import GpuSettings

_DIFFER: Final = {
    "onnx_sha256": "the model", "backend": "the backend", "version": "TensorRT", "gpu": "the GPU",
    "compute_capability": "the GPU's kind", "driver": "the driver", "options": "the build's options",
}  # fmt: skip


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
    api, found = load_trt(settings.kind), gpus.gpu_at(settings.device)
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
