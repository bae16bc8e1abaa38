"""The proof that an engine computes what the exporter computed, made at every start, on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge.bundle import Bundle
from edge.engines.base import Tensors
from edge.errors import EngineFault
from edge.settings.engines import Precision


class ParityFailed(EngineFault):
    """The engine runs, but does not compute what was exported: nothing may be judged with it. `report`: by how much."""

    def __init__(self, message: str, *, where: str = "", remedy: str = "", report: GoldenReport | None = None) -> None:
        super().__init__(message, where=where, remedy=remedy)
        self.report = report


@dataclass(frozen=True)
class GoldenReport:
    """How far an engine was from the golden outputs, at the worst value of all vectors.

    ratio: |value - golden| over its limit, atol + rtol * |golden|; 1 is the limit, infinite where the value is NaN.
    error: that difference in the output's own units; limit: what it may be.
    """

    vector: int
    output: str
    ratio: float
    error: float
    limit: float


def prove(infer: Callable[[Tensors], Tensors], bundle: Bundle, precision: Precision, warm_up_runs: int = 2) -> GoldenReport:
    """Warm up on the first golden vector, then run them all and compare with the manifest's limits.

    ParityFailed names vector, output, error and limit where one is beyond. The first run of an engine plans its memory
    and the second uses that plan, so what is proven is what will run on the line.
    """
    report = measure(infer, bundle, precision, warm_up_runs)
    if report.ratio > 1.0:
        raise ParityFailed(
            f"golden vector {report.vector}: {report.output} is off by {report.error:.4g}, the limit is {report.limit:.4g} "
            f"({precision})",
            where=f"bundle {bundle.name}",
            remedy="this machine does not compute what was exported: do not judge with it; export the bundle again",
            report=report,
        )
    return report


def measure(infer: Callable[[Tensors], Tensors], bundle: Bundle, precision: Precision, warm_up_runs: int = 0) -> GoldenReport:
    """As `prove`, but what is beyond the limits is only reported."""
    limits = bundle.manifest.limits
    tolerance = limits.float32 if precision == "float32" else limits.float16
    inputs, outputs = bundle.golden()
    for _ in range(warm_up_runs):
        infer(inputs[0])
    reports = []
    for index, (given, expected) in enumerate(zip(inputs, outputs, strict=True)):
        made = infer(given)
        for name, golden in expected.items():
            exact = golden.astype(np.float64)
            errors = np.nan_to_num(np.abs(made[name] - exact), nan=np.inf)
            allowed = tolerance.atol + tolerance.rtol * np.abs(exact)
            # 0/0 is an exact value under a limit of zero: fine.
            ratios = np.divide(errors, allowed, out=np.where(errors > 0, np.inf, 0.0), where=allowed > 0)
            worst = np.unravel_index(int(np.argmax(ratios)), ratios.shape)
            reports.append(GoldenReport(index, name, float(ratios[worst]), float(errors[worst]), float(allowed[worst])))
    return max(reports, key=lambda item: item.ratio)
