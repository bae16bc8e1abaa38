"""All methods side by side on the same frames: what each would set, promise, and miss. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration import methods
from calibration.thresholds import Measurements
from edge.errors import ConfigError
from edge.recipe.card import TailFit

HEADER = f"{'method':18s} {'image':>9s} {'pixel':>9s} {'false alarms/1000':>24s} {'bound':>6s} {'above':>6s} {'margin':>17s}"


@dataclass(frozen=True)
class Compared:
    """What one method makes of the frames. levels: None where it refuses, and `refusal` says why.

    headroom: how far the threshold lies above the highest good score. missed: bad frames missed of `bad`, with the 95 %
    interval of their share; None where there are no bad frames.
    """

    method: methods.Method
    levels: methods.Levels | None
    headroom: float = 0.0
    highest: float = 0.0
    bad: int = 0
    missed: tuple[int, float, float] | None = None
    refusal: str = ""


def all_methods(like: methods.Method) -> tuple[methods.Method, ...]:
    """Every method with the parameters of `like`, and each with its own default margin."""
    return tuple(like.model_copy(update={"kind": kind, "margin": None}) for kind in methods.KINDS)


def compare(found: Measurements, chosen: Sequence[methods.Method]) -> tuple[Compared, ...]:
    """Each method on these measurements, those that refuse with their reason; cost only where there are bad frames."""
    usable = [method for method in chosen if method.kind != "cost" or found.bad is not None]
    return tuple(_compared(found, method) for method in usable)


def table(rows: Sequence[Compared]) -> str:
    """As a technician reads it: one line per method."""
    bad = next((row.bad for row in rows if row.bad), 0)
    lines = [HEADER + (f" {f'missed of {bad}':>22s}" if bad else "")]
    lines += [f"{row.method!s:18s} refused: {row.refusal}" if row.levels is None else _line(row, row.levels) for row in rows]
    lines += [f"{row.method!s}: {tail_line(row.levels.fit)}" for row in rows if row.levels and row.levels.fit]
    return "\n".join(lines) + "\n"


def tail_line(fit: TailFit) -> str:
    """A fitted tail, and how well it fits."""
    return (
        f"generalised Pareto tail on the {fit.exceedances} scores above {fit.start:.4g}, shape {fit.shape:.3g}, scale "
        f"{fit.scale:.3g}; Anderson-Darling A² {fit.anderson_darling:.3g}, p {fit.p_value:.2g} (it fits)"
    )


def as_json(row: Compared) -> dict[str, object]:
    """One row, JSON-ready."""
    body: dict[str, object] = {"method": row.method.kind, "refusal": row.refusal or None}
    if row.levels is None:
        return body
    missed = None
    if row.missed is not None:
        missed = {"frames": row.bad, "missed": row.missed[0], "low": row.missed[1], "high": row.missed[2]}
    return {
        **body,
        "image_threshold": row.levels.image,
        "pixel_threshold": row.levels.pixel,
        "false_alarms": row.levels.false_alarms.model_dump(mode="json"),
        "fit": row.levels.fit.model_dump(mode="json") if row.levels.fit else None,
        "headroom": row.headroom,
        "bad": missed,
    }


def _compared(found: Measurements, method: methods.Method) -> Compared:
    good = np.array(found.good.scores, np.float64)
    bad = None if found.bad is None else np.array(found.bad.scores, np.float64)
    in_map_units = found.recipe.score_rule.kind != "graph"
    count = 0 if bad is None else len(bad)
    try:
        levels = methods.take_levels(good, found.good.pixels, method, in_map_units=in_map_units, bad=bad)
    except ConfigError as error:
        return Compared(method, None, bad=count, refusal=f"{error.message}: {error.remedy}")
    highest = float(good.max())
    missed = None if bad is None else methods.missed_share(bad, levels.image)
    return Compared(method, levels, levels.image - highest, highest, count, missed)


def _line(row: Compared, levels: methods.Levels) -> str:
    alarms = levels.false_alarms
    rate = f"{1000 * alarms.expected:.1f} ({1000 * alarms.low:.1f} .. {1000 * alarms.high:.1f})"
    pixel = "no map" if levels.pixel is None else f"{levels.pixel:.4g}"
    margin = f"{row.headroom:+.4g} ({percent(row.headroom, row.highest)})"
    text = (
        f"{row.method!s:18s} {levels.image:9.4g} {pixel:>9s} {rate:>24s} {1000 * alarms.bound:6.1f}"
        f" {alarms.above:6d} {margin:>17s}"
    )
    if row.missed is None:
        return text
    missed, low, high = row.missed
    return text + f" {f'{missed} ({100 * low:.1f} .. {100 * high:.1f} %)':>22s}"


def percent(headroom: float, highest: float) -> str:
    """The margin as a share of the highest good score."""
    return f"{100 * headroom / abs(highest):+.1f} %" if highest else "-"
