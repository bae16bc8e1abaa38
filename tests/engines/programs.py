"""Bundles of every program, with toy graphs, and the same in plain numpy, written as the papers' code has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle, Declaration, DenoisingLoop, Limits, Tensors, Tiling, Tolerance, contract, graph_size_wh
from edge.bundle.noise import stored_noise
from export.graph import Graph
from tests.bundle.samples import declared, mapless, random_inputs, write

TILES = Tiling(size=16, overlap=5)
SEED = 3
SLOPE, DRIFT = 0.3, 0.002
LIMITS = Limits(float32=Tolerance(rtol=1e-4, atol=1e-4))


def loop_for(size_wh: tuple[int, int]) -> DenoisingLoop:
    return DenoisingLoop.seeded(size_wh, timesteps=(40, 25, 10, 0), start=60, weight=2.0, seed=SEED)


def step_graph(size_wh: tuple[int, int], *, breaks_at: int | None = None) -> bytes:
    """One step with eps = SLOPE * xt + DRIFT * t. breaks_at: the timestep at which it gives NaN."""
    graph = Graph("step")
    planes = (1, 3, size_wh[1], size_wh[0])
    xt, y0, noise = (graph.input(name, "float32", planes) for name in ("xt", "y0", "noise"))
    t, coef = graph.input("t", "float32", (1,)), graph.input("coef", "float32", (6,))
    a, b, a_next, c1, c2, w = (
        graph.node("Gather", coef, graph.constant(np.array([place]), "int64"), axis=0) for place in range(6)
    )
    slope, drift = graph.constant(np.array(SLOPE), "float32"), graph.constant(np.array(DRIFT), "float32")
    eps = graph.node("Add", graph.node("Mul", xt, slope), graph.node("Mul", t, drift))
    guided = graph.node("Add", graph.node("Mul", a, y0), graph.node("Mul", b, eps))
    pull = graph.node("Mul", graph.node("Mul", b, w), graph.node("Sub", guided, xt))
    eps_hat = graph.node("Sub", eps, pull)
    x0 = graph.node("Div", graph.node("Sub", xt, graph.node("Mul", eps_hat, b)), a)
    carried = graph.node("Add", graph.node("Mul", a_next, x0), graph.node("Mul", c1, noise))
    out = graph.node("Add", carried, graph.node("Mul", c2, eps_hat))
    if breaks_at is not None:
        distance = graph.node("Sub", t, graph.constant(np.array(float(breaks_at)), "float32"))
        out = graph.node("Mul", out, graph.node("Div", distance, distance))
    graph.output("xt_next", out, "float32", planes)
    return graph.serialise()


def head_graph(size_wh: tuple[int, int]) -> bytes:
    """anomaly_map = mean over the channels of |image / 127.5 - 1 - reconstruction|, image_score its maximum."""
    graph = Graph("head")
    width, height = size_wh
    image = graph.cast(graph.input("image", "uint8", (1, height, width, 3)), "float32")
    last = graph.input("reconstruction", "float32", (1, 3, height, width))
    share = graph.node("Div", image, graph.constant(np.array(127.5), "float32"))
    planes = graph.node("Transpose", share, perm=[0, 3, 1, 2])
    centred = graph.node("Sub", planes, graph.constant(np.array(1.0), "float32"))
    distance = graph.node("Abs", graph.node("Sub", centred, last))
    scores = graph.node("ReduceMean", distance, axes=[1], keepdims=0)
    graph.output("anomaly_map", scores, "float32", (1, height, width))
    graph.output("image_score", graph.node("ReduceMax", scores, axes=[1, 2], keepdims=0), "float32", (1,))
    return graph.serialise()


def identity_graph(size_wh: tuple[int, int], names: tuple[str, ...] = ("anomaly_map",)) -> bytes:
    """anomaly_map = the image's green channel, image_score its maximum."""
    graph = Graph("identity")
    width, height = size_wh
    image = graph.cast(graph.input("image", "uint8", (1, height, width, 3)), "float32")
    one = graph.node("Gather", image, graph.constant(np.array([1]), "int64"), axis=3)
    green = graph.node("ReduceMax", one, axes=[3], keepdims=0)
    if "anomaly_map" in names:
        graph.output("anomaly_map", green, "float32", (1, height, width))
    if "image_score" in names:
        graph.output("image_score", graph.node("ReduceMax", green, axes=[1, 2], keepdims=0), "float32", (1,))
    return graph.serialise()


def reconstructed(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The loop in float64 with numpy's own cumulated product; image: uint8 [1, H, W, 3]."""
    height, width = image.shape[1:3]
    loop = loop_for((width, height))
    noise = stored_noise(SEED, 5, (width, height)).astype(np.float64)
    shares = np.cumprod(1 - np.concatenate(([0.0], np.linspace(1e-4, 0.02, 1000))))
    y0 = image.astype(np.float64).transpose(0, 3, 1, 2) / 127.5 - 1
    start = shares[loop.start + 1]
    xt = np.sqrt(start) * y0 + np.sqrt(1 - start) * noise[:1]
    for number, (now, then) in enumerate(zip(loop.timesteps, (*loop.timesteps[1:], -1), strict=True), 1):
        a, a_next = shares[now + 1], shares[then + 1]
        eps = SLOPE * xt + DRIFT * now
        yt = np.sqrt(a) * y0 + np.sqrt(1 - a) * eps
        eps_hat = eps - np.sqrt(1 - a) * loop.weight * (yt - xt)
        x0 = (xt - eps_hat * np.sqrt(1 - a)) / np.sqrt(a)
        c1 = loop.eta * np.sqrt((1 - a / a_next) * (1 - a_next) / (1 - a))
        c2 = np.sqrt(1 - a_next - c1**2)
        xt = np.sqrt(a_next) * x0 + c1 * noise[number : number + 1] + c2 * eps_hat
    return xt


def looped(inputs: Tensors) -> dict[str, NDArray[np.float32]]:
    """What the toy loop must give for one image of the graphs' size."""
    planes = inputs["image"].astype(np.float64).transpose(0, 3, 1, 2) / 127.5 - 1
    scores = np.abs(planes - reconstructed(inputs["image"])).mean(axis=1)
    return {"anomaly_map": scores.astype(np.float32), "image_score": scores.max(axis=(1, 2)).astype(np.float32)}


def green(inputs: Tensors) -> dict[str, NDArray[np.float32]]:
    scores = inputs["image"][..., 1].astype(np.float32)
    return {"anomaly_map": scores, "image_score": scores.max(axis=(1, 2))}


def looping(size_wh: tuple[int, int], tiling: Tiling | None = None, **changes: Any) -> Declaration:
    graph_wh = size_wh if tiling is None else (tiling.size, tiling.size)
    fields: dict[str, Any] = {"outputs": contract(size_wh, ["anomaly_map", "image_score"]), "program": loop_for(graph_wh)}
    return declared(size_wh=size_wh, tiling=tiling, limits=LIMITS, **{**fields, **changes})


def bundle_with(out: Path, declaration: Declaration, golden: Any, **models: bytes) -> Bundle:
    inputs = [random_inputs(declaration, seed) for seed in (0, 1)]
    names = [spec.name for spec in declaration.outputs]
    outputs = [{name: golden(given)[name] for name in names} for given in inputs]
    return write(out, declaration, golden_inputs=inputs, golden_outputs=outputs, **models)


def loop_bundle(out: Path, **changes: Any) -> Bundle:
    declaration = looping((20, 12), **changes)
    size_wh = graph_size_wh(declaration)
    return bundle_with(out, declaration, looped, model=head_graph(size_wh), step=step_graph(size_wh))


def tiled_bundle(out: Path, size_wh: tuple[int, int] = (43, 30), tiling: Tiling = TILES) -> Bundle:
    outputs = contract(size_wh, ["anomaly_map", "image_score"])
    declaration = declared(size_wh=size_wh, tiling=tiling, outputs=outputs)
    names = ("anomaly_map", "image_score")
    return bundle_with(out, declaration, green, model=identity_graph((tiling.size, tiling.size), names))


def mapless_bundle(out: Path, **changes: Any) -> Bundle:
    declaration = mapless(**changes)
    return bundle_with(out, declaration, green, model=identity_graph(graph_size_wh(declaration), ("image_score",)))
