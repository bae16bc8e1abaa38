"""Builds in a process of its own: a builder that crashes, hangs or leaks takes nothing with it, and the judge goes on.

`python -m edge.engines.trt_child` is that process; `ChildPlans` is what the station holds of it.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge.engines.cache import CacheKey, EngineCache
from edge.engines.memory_choice import open_memory
from edge.engines.preparing import BuildProgress
from edge.engines.trt_api import load_trt
from edge.engines.trt_builder import BuildOptions, Built, build_plan
from edge.engines.trt_plans import Plan, PlanOrder, Plans, find_plan
from edge.errors import BundleError, EngineFault, LineclearError
from edge.logs import join_logging
from edge.sidecar import Link, Sidecar, SidecarGone, die_with, link_of

__all__ = ["ChildPlans", "build_here"]

log = logging.getLogger(__name__)

_MODULE = "edge.engines.trt_child"
_BEAT_S, _LOG_EVERY_S = 2.0, 15.0
_TELL_EVERY_S, _PAUSE_S = 0.1, 0.01
_KINDS: dict[str, type[LineclearError]] = {"BundleError": BundleError, "EngineFault": EngineFault}


class ChildPlans:
    """A PlanSource. timeout_s: for one build; the process is killed after it."""

    def __init__(
        self, cache: EngineCache, timeout_s: float, module: str = _MODULE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._timeout_s = timeout_s
        self._module = module

    def find(self, order: PlanOrder) -> Plan | None:
        """See PlanSource."""
        return find_plan(self._cache, order)

    def get(self, order: PlanOrder, progress: BuildProgress) -> Plan:
        """See PlanSource. `progress` is called in this thread at least every two seconds."""
        found = self.find(order)
        if found is not None:
            return found
        log.info("engine_build_started graph=%s backend=%s onnx=%s", order.graph, order.flavour, order.onnx_path)
        self._build(order, progress)
        built = self.find(order)
        if built is None:
            raise EngineFault(
                "the engine was built, but is not in the cache", where=str(self._cache.folder), remedy="try again"
            )
        log.info(
            "engine_built graph=%s seconds=%.1f mb=%.1f half=%s", order.graph, built.build_s, len(built.data) / 1e6, built.share
        )
        return Plan(built.data, built.share, built.build_s, built.key, built_here=True)

    def _build(self, order: PlanOrder, progress: BuildProgress) -> None:
        try:
            child = Sidecar(self._module, "engine-build")
        except OSError as error:
            raise EngineFault(f"no process can be started to build in ({error.strerror})", where=order.where) from None
        ended = "was stopped"
        try:
            child.link.send(_request(order, self._cache))
            self._follow(child, order, progress)
        except SidecarGone:
            ended = child.end(2.0)
            raise EngineFault(
                f"the process that built the engine {ended}", where=order.where, remedy="look at the log; is there memory left?"
            ) from None
        finally:
            if ended == "was stopped":
                child.end(0.0)

    def _follow(self, child: Sidecar, order: PlanOrder, progress: BuildProgress) -> None:
        started = logged = self._clock()
        at = ("starting", 0, 0)
        while True:
            message = child.link.receive()
            if message is not None:
                if "error" in message:
                    raise _error_of(message["error"])
                if "phase" not in message:
                    return
                at = (str(message["phase"]), int(message["done"]), int(message["total"]))
                continue
            progress(*at)
            now = self._clock()
            if now - started > self._timeout_s:
                raise EngineFault(
                    f"the engine was not built within {self._timeout_s:g} s",
                    where=order.where,
                    remedy="build it ahead with `lineclear-export engine`, or raise engine.build_timeout_s",
                )
            if now - logged > _LOG_EVERY_S:
                logged = now
                log.info("engine_build graph=%s seconds=%.0f phase=%s done=%d total=%d", order.graph, now - started, *at)
            child.wait(_BEAT_S)


def build_here(order: PlanOrder, timing: bytes, progress: BuildProgress) -> Built:
    """Build in this process and thread; the ONNX file is verified as it is read. EngineFault, BundleError."""
    api = load_trt(order.flavour)
    onnx = _verified(order)
    if order.flavour == "tensorrt_rtx":
        return build_plan(api, onnx, order.options, progress, where=order.where)
    with open_memory(order.memory_backend, order.device) as memory, memory.current():  # type: ignore[arg-type]
        return build_plan(api, onnx, order.options, progress, timing=timing, where=order.where)


def _verified(order: PlanOrder) -> bytes:
    try:
        data = order.onnx_path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"cannot be read ({error.strerror})", where=str(order.onnx_path), remedy="copy the bundle again"
        ) from None
    if hashlib.sha256(data).hexdigest() != order.key.onnx_sha256:
        raise BundleError("is not the file that the manifest names", where=str(order.onnx_path), remedy="copy the bundle again")
    return data


def _request(order: PlanOrder, cache: EngineCache) -> dict[str, Any]:
    # The process stands elsewhere: what is relative here would be another file there.
    fields = {**asdict(order), "onnx_path": str(order.onnx_path.absolute())}
    return {"order": fields, "folder": str(cache.folder.absolute()), "limit_bytes": cache.limit_bytes}


def _order_of(fields: Mapping[str, Any]) -> PlanOrder:
    key = {**fields["key"], "options": tuple((str(name), str(value)) for name, value in fields["key"]["options"])}
    nested = {"onnx_path": Path(fields["onnx_path"]), "options": BuildOptions(**fields["options"]), "key": CacheKey(**key)}
    return PlanOrder(**{**fields, **nested})


def _error_of(told: Mapping[str, str]) -> LineclearError:
    kind = _KINDS.get(told["kind"], EngineFault)
    return kind(told["message"], where=told["where"], remedy=told["remedy"])


def _serve(link: Link) -> None:
    """One build: the order comes in, progress and the end go out."""
    request = _received(link)
    order = _order_of(request["order"])
    plans = Plans(EngineCache(Path(request["folder"]), int(request["limit_bytes"])), build_here)
    told_at = 0.0

    def told(phase: str, done: int, total: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at > _TELL_EVERY_S:
            told_at = time.monotonic()
            link.send({"phase": phase[:200], "done": done, "total": total})

    try:
        plans.get(order, told)
    except LineclearError as error:
        kind = "BundleError" if isinstance(error, BundleError) else "EngineFault"
        told_error = {"kind": kind, "message": error.message[:4000], "where": error.where, "remedy": error.remedy}
        _sent(link, {"error": told_error})
        return
    _sent(link, {"built": True})


def _received(link: Link) -> dict[str, Any]:
    pause = threading.Event()
    while (message := link.receive()) is None:
        pause.wait(_PAUSE_S)
    return message


def _sent(link: Link, message: Mapping[str, Any]) -> None:
    """The end must be heard, however much progress stands before it."""
    pause = threading.Event()
    while not link.send(message):
        pause.wait(_PAUSE_S)


if __name__ == "__main__":
    die_with(sys.argv[3])
    join_logging()
    _serve(link_of(sys.argv[2]))
