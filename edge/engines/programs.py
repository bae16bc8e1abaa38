"""Runs a bundle's program over its graphs, whatever runs the graphs: one call, a denoising loop, either of them per tile.

An engine opens a `GraphRunner` for each of `bundle.graphs` and hands them to a `ProgramRunner`, which is its `infer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.bundle import DenoisingLoop, GraphName, Manifest, Step, Tensors, graph_size_wh, graphs
from edge.bundle.noise import noise_sha256, stored_noise
from edge.engines.contract import checked_inputs, checked_outputs, checked_results
from edge.engines.tiles import Join, cut
from edge.errors import EngineFault

# (graph calls done, graph calls of this inference, what was called). What it raises ends the inference.
CallDone = Callable[[int, int, str], None]


class GraphRunner(Protocol):
    """One ONNX graph, loaded and ready. One thread uses it."""

    def call(self, inputs: Tensors) -> Tensors:
        """Outputs by name for inputs by name: contiguous arrays exactly as the graph's `GraphSpec` says.

        What it returns is never written again by the runner. EngineFault: it failed.
        """
        ...


class ProgramRunner:
    """One inference of a bundle: checks, tiles, loop.

    runners: one per graph of the bundle (KeyError where one is missing). Construction makes the program's noise, 0.1 s for
    ten steps of 256x256, and raises EngineFault where this machine makes another noise than the bundle's.
    """

    def __init__(self, manifest: Manifest, runners: Mapping[GraphName, GraphRunner], call_done: CallDone | None = None) -> None:
        self._manifest = manifest
        self._graphs = {graph.name: (graph, runners[graph.name]) for graph in graphs(manifest)}
        self._call_done = call_done
        self._calls = 0
        self._join = None if manifest.tiling is None else Join(manifest.tiling, manifest.size_wh)
        self._loop: _Loop | None = None
        if isinstance(manifest.program, DenoisingLoop):
            self._loop = _Loop(manifest.program, graph_size_wh(manifest), f"bundle {manifest.name}")
        tiles = 1 if manifest.tiling is None else len(manifest.tiling.corners(manifest.size_wh))
        self._total = tiles * (1 if self._loop is None else len(self._loop.steps) + 1)

    def infer(self, inputs: Tensors) -> Tensors:
        """Outputs by name, read-only, as the manifest declares them; every engine's `infer`.

        EngineFault: inputs or outputs that are not the manifest's, a graph that failed, or a loop that lost its numbers;
        it names the graph, the step and the tile.
        """
        self._calls = 0
        given = checked_inputs(self._manifest, inputs)
        tiling = self._manifest.tiling
        if tiling is None or self._join is None:
            return checked_outputs(self._manifest, self._run(given, ""))
        parts = list(cut(given, tiling, self._manifest.size_wh))
        made = [self._run(part, f"tile {number} of {len(parts)}") for number, part in enumerate(parts, 1)]
        return checked_outputs(self._manifest, self._join.joined(made))

    def _run(self, inputs: dict[str, NDArray[Any]], tile: str) -> Tensors:
        if self._loop is None:
            return self._call("model", inputs, tile)
        return self._call("model", {**inputs, "reconstruction": self._denoised(self._loop, inputs["image"], tile)}, tile)

    def _denoised(self, loop: _Loop, image: NDArray[np.uint8], tile: str) -> NDArray[np.float32]:
        y0 = loop.planes_of(image)
        xt = loop.started(y0)
        for number, step in enumerate(loop.steps, 1):
            feed = loop.feed(number, step, xt, y0)
            place = f"step {number} of {len(loop.steps)} (t = {step.timestep})"
            at = ", ".join(part for part in (place, tile) if part)
            xt = self._call("step", feed, at)["xt_next"]
            # A comparison that follows may swallow NaN (ReLU, maximum): it must not come so far.
            if not np.isfinite(xt).all():
                raise self._fault("step", "gave NaN or infinite values", at, "export the bundle again, in float32")
        return xt

    def _call(self, name: GraphName, inputs: Tensors, at: str) -> Tensors:
        graph, runner = self._graphs[name]
        try:
            outputs = checked_results(graph, runner.call(inputs))
        except EngineFault as error:
            if len(self._graphs) == 1 and not at:
                raise
            raise self._fault(name, error.message, at, error.remedy) from None
        self._calls += 1
        if self._call_done is not None:
            self._call_done(self._calls, self._total, ", ".join(part for part in (name, at) if part))
        return outputs

    def _fault(self, name: GraphName, message: str, at: str, remedy: str) -> EngineFault:
        where = ", ".join(part for part in (f"bundle {self._manifest.name}", f"graph {name}", at) if part)
        return EngineFault(message, where=where, remedy=remedy)


class _Loop:
    """The parts of a denoising loop that no graph computes: float32 on the host, elementwise, the same on every machine."""

    def __init__(self, program: DenoisingLoop, size_wh: tuple[int, int], where: str) -> None:
        self.steps = program.steps()
        self._range = program.image_range
        self._scales = program.start_scales()
        self._noise = stored_noise(program.noise.seed, program.noise_count, size_wh)
        if noise_sha256(self._noise) != program.noise.sha256:
            raise EngineFault(
                "this machine makes another noise than the one that the bundle was exported with",
                where=where,
                remedy="do not judge with it; export the bundle again, and report the machine and its numpy version",
            )

    def planes_of(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Uint8 [1, H, W, 3] to float32 [1, 3, H, W] in the network's range."""
        low, high = self._range
        share = np.ascontiguousarray(image.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(255)
        return np.asarray(share * np.float32(high - low) + np.float32(low), np.float32)

    def started(self, y0: NDArray[np.float32]) -> NDArray[np.float32]:
        """The image with the noise of the start."""
        of_image, of_noise = self._scales
        return np.asarray(np.float32(of_image) * y0 + np.float32(of_noise) * self._noise[:1], np.float32)

    def feed(self, number: int, step: Step, xt: NDArray[np.float32], y0: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The step graph's inputs; number from 1, the place of its noise."""
        return {
            "xt": xt,
            "y0": y0,
            "noise": self._noise[number : number + 1],
            "t": np.array([step.timestep], np.float32),
            "coef": np.array(step.coef, np.float32),
        }
