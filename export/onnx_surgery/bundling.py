"""From a contract graph to a bundle: golden vectors, limits from its own range, the float16 twin where it bears one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.bundle import Bundle, Declaration, Limits, Tensors, Tolerance, write_bundle
from edge.errors import BundleError
from export.golden import golden_inputs
from export.graph import half_share
from export.onnx_surgery.half import halved, heavy_count
from export.proof import run_once

FLOAT32 = 1e-4
FLOAT16 = 2e-2
# The twin must stay within this share of its limit here, so that another machine has the rest.
MARGIN = 0.5


@dataclass(frozen=True)
class Written:
    """A bundle that was written, and what a person should know about it."""

    bundle: Bundle
    remarks: tuple[str, ...]


def write_foreign_bundle(out: Path, model: bytes, declaration: Declaration, images: Path | None, licence: str) -> Written:
    """Write the bundle of a contract graph, with a float16 twin where one stays within the limits.

    images: real ones for the golden vectors, None for made-up scenes. The limits are shares of the range that the golden
    outputs span, because the units of a foreign map are its own. BundleError: no usable values, or a place that cannot be
    written.
    """
    golden = golden_inputs(declaration, images)
    outputs = [run_once(model, given) for given in golden]
    scale = _scale(declaration, outputs)
    limits = Limits(
        float32=Tolerance(rtol=FLOAT32, atol=FLOAT32 * scale), float16=Tolerance(rtol=FLOAT16, atol=FLOAT16 * scale)
    )
    twin, error = _twin(model, golden, outputs, limits.float16)
    remarks = [] if declaration.has_map or len({out["image_score"].item() for out in outputs}) > 1 else [SAME]
    if declaration.has_map and scale == 0:
        remarks.append(SAME)
    share = 0.0 if twin is None else round(half_share(twin), 3)
    facts: dict[str, str | int | float | bool | None] = {"half_share": share}
    if twin is None:
        why = "nothing in it can be half" if error is None else f"its float16 twin is {error:.2g} of the limit off"
        facts = {"float16": f"left out: {why}"}
        remarks.append(f"float32 only: {why}; a GPU runs it at about half the speed")
    bundle = write_bundle(
        out,
        declaration.model_copy(update={"limits": limits, "parameters": {**declaration.parameters, **facts}}),
        model=model,
        model_fp16=twin,
        golden_inputs=golden,
        golden_outputs=outputs,
        licence=licence,
    )
    return Written(bundle, tuple(remarks))


SAME = "it gives the same for every golden image: give real images (--golden), and look at the declared range and colours"


def _scale(declaration: Declaration, outputs: Sequence[Tensors]) -> float:
    """The range of the map over all golden vectors; of a model without a map the size of its score."""
    name = "anomaly_map" if declaration.has_map else "image_score"
    values = np.stack([each[name].reshape(-1) for each in outputs]).astype(np.float64)
    for each in outputs:
        for tensor in each.values():
            if not np.isfinite(tensor).all():
                raise BundleError(
                    "gives NaN or infinity for a golden image",
                    remedy="is it a finished training, and is the declared range (scale, mean, std) right?",
                )
    return float(np.ptp(values)) if declaration.has_map else float(np.abs(values).max())


def _twin(
    model: bytes, golden: Sequence[Tensors], outputs: Sequence[Tensors], limit: Tolerance
) -> tuple[bytes | None, float | None]:
    """The most half twin that stays within the limit; without one None, and the least share of the limit that was reached."""
    count = heavy_count(model)
    least: float | None = None
    for keep in dict.fromkeys((0, 1, count // 4, count // 2)):
        twin = halved(model, golden, keep=keep) if keep < count else None
        if twin is None:
            break
        error = max(_distance(run_once(twin, given), made, limit) for given, made in zip(golden, outputs, strict=True))
        if error <= MARGIN:
            return twin, error
        least = error if least is None else min(least, error)
    return None, least


def _distance(made: Tensors, golden: Tensors, limit: Tolerance) -> float:
    """The largest error as a share of what is allowed."""
    worst = 0.0
    for name, expected in golden.items():
        exact = expected.astype(np.float64)
        allowed = limit.atol + limit.rtol * np.abs(exact)
        errors = np.nan_to_num(np.abs(made[name] - exact), nan=np.inf)
        worst = max(worst, float((errors / np.maximum(allowed, 1e-12)).max()))
    return worst
