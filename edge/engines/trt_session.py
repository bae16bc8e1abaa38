"""An open GPU: its memory, and a runner per graph of the bundle. One thread opens, uses and closes it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from edge.bundle import Bundle, GraphName
from edge.engines.base import Tensors
from edge.engines.device_memory import RESTART, DeviceMemory
from edge.engines.trt_api import TrtApi
from edge.engines.trt_runner import TrtRunner
from edge.errors import EngineFault

__all__ = ["GpuSession"]

log = logging.getLogger(__name__)


class GpuSession:
    """Destroyed in the order that CUDA wants: execution contexts, engines, runtimes, buffers, stream."""

    def __init__(self, api: TrtApi, memory: DeviceMemory, bundle: Bundle, *, mapped: bool) -> None:
        self._api = api
        self._memory = memory
        self._bundle = bundle
        self._mapped = mapped
        self._where = f"bundle {bundle.name}"
        self._runners: dict[GraphName, TrtRunner] = {}
        self._lost = ""

    @property
    def runners(self) -> dict[GraphName, TrtRunner]:
        """By graph; only within `run`."""
        return self._runners

    def open(self, plans: Sequence[bytes], compiled: Sequence[bytes], *, host_code: bool) -> None:
        """Load one plan per graph of the bundle, in its order. EngineFault, BundleError: nothing stays open then."""
        with ExitStack() as stack:
            stack.enter_context(self._memory)
            stack.callback(self._close_runners)
            with self._memory.current():
                for graph, plan, more in zip(self._bundle.graphs, plans, compiled, strict=True):
                    self._runners[graph.name] = TrtRunner(self._api, self._memory, graph, self._where, mapped=self._mapped)
                    self._runners[graph.name].open(plan, host_code=host_code, compiled=more)
            stack.pop_all()

    def close(self) -> None:
        """Free everything; never raises."""
        self._close_runners()
        self._memory.__exit__(None, None, None)

    def run(self, infer: Callable[[Tensors], Tensors], inputs: Tensors) -> Tensors:
        """`infer` with the GPU current.

        EngineFault: as infer, or the GPU was lost before. After a fault nothing may still be writing into the buffers: where
        that cannot be had, every later call is refused, since it could be given another frame's scores.
        """
        if self._lost:
            raise EngineFault(f"the GPU is lost ({self._lost})", where=self._where, remedy=RESTART)
        with self._memory.current():
            try:
                return infer(inputs)
            except EngineFault:
                self._settle()
                raise

    def repeat(self) -> None:
        """Compute every graph's last inputs again, once. EngineFault as `run`."""

        def again(inputs: Tensors) -> Tensors:
            for runner in self._runners.values():
                runner.repeat()
            return inputs

        self.run(again, {})

    def compiled(self) -> list[bytes]:
        """RTX: what was compiled for this GPU, per graph."""
        with self._memory.current():
            return [runner.compiled() for runner in self._runners.values()]

    def _settle(self) -> None:
        try:
            self._memory.sync()
        except EngineFault as error:
            self._lost = error.message
            log.error("gpu_lost where=%r why=%r", self._where, error.message)

    def _close_runners(self) -> None:
        try:
            with self._memory.current():
                self._dropped()
        except EngineFault as error:
            log.error("gpu_not_released what=%s why=%s", "engine", error)
        # Where no context can be made current, what it held is gone already.
        self._dropped()

    def _dropped(self) -> None:
        while self._runners:
            self._runners.popitem()[1].close()
