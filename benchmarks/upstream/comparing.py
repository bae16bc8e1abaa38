"""What the families' comparisons share: real images, errors, counts, times, and one row of the table in docs/models.md."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edge.bundle import Bundle, Tensors
from edge.scoring import measured
from edge.types import AnomalyMap, ImageU8
from export.graph import half_share
from export.proof import run_once

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
_COLUMNS = (
    "family", "size", "parameters M", "GMAC", "ONNX MB", "float32 error", "float16 error", "half share", "ORT ms",
    "RTX engine MB", "build s",
)  # fmt: skip
HEADER = f"| {' | '.join(_COLUMNS)} |\n{'|---' * len(_COLUMNS)}|"
_MILLION = 1e6


@dataclass(frozen=True)
class Errors:
    """How far a bundle is from upstream, relative to the largest value that upstream gives; the worst image of all.

    absolute: the largest difference in the map's own units. score: of the image score, relative.
    """

    map: float
    absolute: float
    score: float

    def __str__(self) -> str:
        return f"{max(self.map, self.score):.1e}"


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    family: str
    size_wh: tuple[int, int]
    parameters: int
    macs: int
    onnx_bytes: int
    float32: Errors
    float16: Errors
    half: float
    ort_ms: float
    engine: tuple[int, float] | None

    def __str__(self) -> str:
        size, seconds = self.engine or (None, None)
        cells = (
            self.family,
            f"{self.size_wh[0]}x{self.size_wh[1]}",
            f"{self.parameters / _MILLION:.2f}",
            f"{self.macs / 1e9:.2f}",
            f"{self.onnx_bytes / _MILLION:.1f}",
            str(self.float32),
            str(self.float16),
            f"{self.half:.2f}",
            f"{self.ort_ms:.0f}",
            "-" if size is None else f"{size / _MILLION:.1f}",
            "-" if seconds is None else f"{seconds:.1f}",
        )
        return f"| {' | '.join(cells)} |"


@dataclass(frozen=True)
class Expected:
    """What upstream's own code gave for one image; None where the family has no such output."""

    inputs: Tensors
    map: NDArray[np.float32] | None
    score: float | None


def row(family: str, bundle: Bundle, module: nn.Module, expected: Sequence[Expected], *, rtx: bool = True) -> Row:
    """Measure a single-graph bundle against upstream's outputs."""
    model, model_fp16 = bundle.model_bytes(), bundle.model_bytes("float16")
    example = [torch.from_numpy(np.array(expected[0].inputs[spec.name])) for spec in bundle.manifest.inputs]
    return Row(
        family=family,
        size_wh=bundle.manifest.size_wh,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        macs=macs_of(module, example),
        onnx_bytes=len(model),
        float32=errors_of(bundle, model, expected),
        float16=errors_of(bundle, model_fp16, expected),
        half=half_share(model_fp16),
        ort_ms=ort_ms(model, expected[0].inputs),
        engine=rtx_engine(model_fp16) if rtx else None,
    )


def errors_of(bundle: Bundle, model: bytes, expected: Sequence[Expected]) -> Errors:
    """The worst of all images."""
    maps, absolutes, scores = [0.0], [0.0], [0.0]
    for each in expected:
        made = run_once(model, each.inputs)
        if each.map is not None:
            away = np.abs(made["anomaly_map"][0].astype(np.float64) - each.map)
            absolutes.append(float(away.max()))
            maps.append(float(away.max() / np.abs(each.map).max()))
        if each.score is not None:
            scores.append(abs(score_of(bundle, made) - each.score) / abs(each.score))
    return Errors(max(maps), max(absolutes), max(scores))


def score_of(bundle: Bundle, made: Tensors) -> float:
    """The image score as a station takes it: from the graph, or from the map by the manifest's rule."""
    rule = bundle.manifest.score
    if rule.kind == "graph":
        return float(made["image_score"][0])
    scores = np.ascontiguousarray(made["anomaly_map"][0])
    whole = AnomalyMap(scores=scores, map_to_reference=np.eye(3), bundle=bundle.name)
    score = measured(whole, np.ones(scores.shape, bool), rule)[1]
    if score is None:
        raise ValueError("no score")
    return score


def real_images(count: int, folder: str = "bsdata/277500_315") -> list[Path]:
    """Files of real images under shared/data; exits with a message where they are not there."""
    paths = sorted(path for path in (DATA / folder).rglob("*") if path.suffix.lower() in (".png", ".jpg", ".bmp"))
    if not paths:
        sys.exit(f"{DATA / folder} is absent: fetch shared/data first")
    return [paths[place * len(paths) // count] for place in range(count)]


def rgb(path: Path) -> ImageU8:
    """The image as it lies in the file, uint8 HxWx3 RGB."""
    return np.asarray(cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def macs_of(module: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Multiply-accumulates of the convolutions and linear layers in one run, seen by hooks; products of activations not."""
    counted = [0]

    def count(layer: nn.Module, _given: object, made: Tensor) -> None:
        weight: Any = layer.weight
        if isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d)):
            given: Any = _given
            counted[0] += given[0].numel() * weight[0].numel()
        elif isinstance(layer, nn.Linear):
            counted[0] += made.numel() * layer.in_features
        else:
            counted[0] += made.numel() * weight[0].numel()

    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Linear)
    hooks = [layer.register_forward_hook(count) for layer in module.modules() if isinstance(layer, kinds)]
    try:
        with torch.no_grad():
            module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return counted[0]


def ort_ms(model: bytes, inputs: Tensors, runs: int = 5, threads: int = 2) -> float:
    """Median time of one run on the CPU, milliseconds, after one that is not counted."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
    session.run(None, dict(inputs))
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        session.run(None, dict(inputs))
        times.append(time.perf_counter() - begun)
    return 1000 * statistics.median(times)


def rtx_engine(model: bytes) -> tuple[int, float] | None:
    """(bytes, seconds) of TensorRT-RTX's ahead-of-time build for SM89, no GPU needed; None where it is not installed.

    RuntimeError with the parser's words where it cannot be built.
    """
    try:
        import tensorrt_rtx as trt
    except ImportError:
        return None
    logger = trt.Logger(trt.Logger.Severity.INTERNAL_ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model):
        raise RuntimeError("; ".join(str(parser.get_error(place)) for place in range(parser.num_errors)))
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM89, 0)
    begun = time.perf_counter()
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise RuntimeError("TensorRT-RTX built nothing")
    return int(plan.nbytes), time.perf_counter() - begun


def randomise(module: nn.Module, seed: int = 0) -> nn.Module:
    """Weights and statistics of a sane scale from a seed, nothing left at zero; the module, for inference."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if not tensor.is_floating_point():
                continue
            if name.endswith("running_var"):
                tensor.uniform_(0.8, 1.25, generator=generator)
            elif tensor.ndim > 1:
                tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
            elif name.endswith("weight"):
                tensor.uniform_(0.8, 1.25, generator=generator)
            else:
                tensor.normal_(0, 0.05, generator=generator)
    return module.eval()


@contextmanager
def upstream_on_path(folder: Path) -> Iterator[None]:
    """Upstream's modules importable while it lasts; its folder is not left on the path."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def say(rows: Mapping[str, Row] | Sequence[Row], write: Callable[[str], object] = sys.stdout.write) -> None:
    """The table."""
    write(HEADER + "\n")
    for each in rows.values() if isinstance(rows, Mapping) else rows:
        write(f"{each}\n")
        for precision, errors in (("float32", each.float32), ("float16", each.float16)):
            write(f"  {precision}: map {errors.map:.2e} relative ({errors.absolute:.2e}), score {errors.score:.2e} relative\n")
