"""The share of half layers: in the float16 file as it was exported, and in the engine that was built of it."""

from __future__ import annotations

from edge.bundle import Bundle
from edge.engines.base import Engine
from edge.engines.parity_limits import ParityLimits
from edge.engines.trt_plans import Plan
from edge.recipe import ParityLine
from edge.settings.engines import Precision


def half_lines(engine: Engine, bundle: Bundle, precision: Precision, limits: ParityLimits) -> tuple[ParityLine, ...]:
    """None of a float32 engine. One of a built engine: what it kept; else one of the file, where its share can be told."""
    if precision == "float32":
        return ()
    plans: tuple[Plan, ...] = getattr(engine, "plans", ())
    if plans:
        return _of_plans(plans, limits)
    share = _of_file(bundle)
    if share is None:
        return ()
    unit = "of the nodes"
    return (ParityLine(measure="half layers", value=share, limit=limits.half_share, kind="min", unit=unit),)


def _of_plans(plans: tuple[Plan, ...], limits: ParityLimits) -> tuple[ParityLine, ...]:
    kept, lost = (sum(getattr(plan.share, part) for plan in plans) for part in ("kept", "lost"))
    if not kept + lost:
        return ()
    detail = "; ".join(f"{plan.share}" for plan in plans)
    unit = "of the float16 layers kept"
    return (
        ParityLine(
            measure="half layers", value=kept / (kept + lost), limit=limits.half_kept, kind="min", unit=unit, detail=detail
        ),
    )


def _of_file(bundle: Bundle) -> float | None:
    """As the manifest says, else counted, where the package onnx is there to count."""
    declared = bundle.manifest.parameters.get("half_share")
    if isinstance(declared, float):
        return declared
    try:
        from export.graph import half_share
    except ModuleNotFoundError:
        return None
    shares = [half_share(bundle.model_bytes("float16", graph.name)) for graph in bundle.graphs]
    return min(shares)
