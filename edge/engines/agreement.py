"""What two engines made of the same frames, compared by what matters: verdicts first, then scores, then maps. Pure.

A verdict that turns is counted whatever the numbers say. Differences are measured in units of the recipe: its threshold's
distance, its good frames' spread, its pixel threshold's height.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.engines.parity_limits import ParityLimits
from edge.recipe import ParityLine, ThresholdCard
from edge.recipe.parity import Measure
from edge.types import MapF32, MaskBool, Outcome

__all__ = ["Scale", "Seen", "Tally"]

_MAPS: tuple[Measure, ...] = ("map mean", "map p99.9", "map max")


@dataclass(frozen=True, eq=False)
class Seen:
    """What one engine made of one frame. smoothed: float32 HxW, None without a map; judged: bool HxW. outcome: at the
    card's thresholds, None without a card.
    """

    score: float | None
    smoothed: MapF32 | None
    judged: MaskBool
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Scale:
    """The units of one recipe: thresholds, the spread of good scores, and where good pixels lie below the pixel threshold."""

    image_threshold: float
    spread: float
    pixel_threshold: float | None = None
    pixel_median: float = 0.0

    @classmethod
    def of(cls, card: ThresholdCard) -> Scale:
        """From a card. The spread is never 0: good frames that do not differ are measured by their threshold."""
        least = 1e-6 * max(abs(card.image_threshold), abs(card.image.median), 1e-12)
        median = card.pixel.median if card.pixel is not None else 0.0
        return cls(card.image_threshold, max(card.image.std, least), card.pixel_threshold, median)

    @property
    def map_height(self) -> float:
        """How far the pixel threshold lies above the good pixels' median; never 0."""
        threshold = self.pixel_threshold or 0.0
        return max(threshold - self.pixel_median, 1e-6 * max(abs(threshold), 1e-12))


@dataclass(frozen=True)
class _Difference:
    """One frame. margin: of the float32 score to the threshold, above 0 for a frame that passes. maps: mean, p99.9, max."""

    name: str
    turned: tuple[Outcome, Outcome] | None
    score: float
    margin: float
    maps: tuple[float, ...]
    pixels: float


class Tally:
    """Takes frames one by one, keeps their figures and not their maps.

    scale: None without a card: scores and maps are then measured by `allowed`, the bundle's own (absolute, relative) limit.
    """

    def __init__(self, scale: Scale | None, limits: ParityLimits, allowed: tuple[float, float]) -> None:
        self._scale = scale
        self._limits = limits
        self._atol, self._rtol = allowed
        self._frames: list[_Difference] = []

    def __len__(self) -> int:
        """Frames that were compared."""
        return len(self._frames)

    def add(self, name: str, base: Seen, other: Seen) -> None:
        """Compare one frame: `base` is the float32 model's."""
        turned = None
        if base.outcome is not None and other.outcome is not None and base.outcome is not other.outcome:
            turned = base.outcome, other.outcome
        score, margin = _score_difference(base.score, other.score), math.nan
        if self._scale is None:
            score = _over(score, self._atol + self._rtol * abs(base.score or 0.0))
        elif base.score is not None:
            margin = self._scale.image_threshold - base.score
        self._frames.append(_Difference(name, turned, score, margin, *self._maps(base, other)))

    def lines(self) -> tuple[ParityLine, ...]:
        """One line per measure; empty where no frame was compared."""
        if not self._frames:
            return ()
        if self._scale is not None:
            return (*self._verdict_lines(self._scale), *self._score_lines(self._scale), *self._map_lines(self._scale))
        limits = (1.0, 1.0, 1.0)
        unit = "times the bundle's limit"
        score = _worst("score", self._frames, lambda each: each.score, 1.0, unit)
        return (*score, *self._of_maps(limits, unit))

    def _verdict_lines(self, scale: Scale) -> tuple[ParityLine, ...]:
        """A frame that lies on the threshold may turn to FAIL: the good frame that set the threshold does so for nothing. A
        frame that turns to PASS is never excused.
        """
        close = self._limits.spread * scale.spread
        to_pass = [each for each in self._frames if each.turned and each.turned[1] is Outcome.PASS]
        other = [each for each in self._frames if each.turned and each.turned[1] is not Outcome.PASS]
        excused = [each for each in other if _to_fail(each.turned) and max(abs(each.margin), each.score) <= close]
        counted = [each for each in other if each not in excused]
        note = f"{len(excused)} on the threshold itself turned to FAIL and count as equal" if excused else ""
        return (
            ParityLine(measure="verdicts to PASS", value=len(to_pass), limit=0, detail=_turns(to_pass)),
            ParityLine(
                measure="other verdicts",
                value=len(counted),
                limit=0,
                detail="; ".join(part for part in (_turns(counted), note) if part),
            ),
        )

    def _score_lines(self, scale: Scale) -> tuple[ParityLine, ...]:
        close = self._limits.spread * scale.spread
        clear = [each for each in self._frames if not abs(each.margin) <= close]
        good = [each for each in self._frames if each.margin >= 0]
        return (
            *_worst("score over margin", clear, lambda each: _over(each.score, abs(each.margin)), self._limits.margin),
            *_worst("score over spread", good, lambda each: _over(each.score, scale.spread), self._limits.spread),
        )

    def _map_lines(self, scale: Scale) -> tuple[ParityLine, ...]:
        if scale.pixel_threshold is None:
            return ()
        limits = self._limits
        with_maps = [each for each in self._frames if each.maps]
        pixels = _worst("pixels", with_maps, lambda each: each.pixels, limits.pixels, "of the judged area")
        unit = "of the pixel threshold's height"
        return (*pixels, *self._of_maps((limits.map_mean, limits.map_p999, limits.map_max), unit))

    def _of_maps(self, limits: tuple[float, float, float], unit: str) -> tuple[ParityLine, ...]:
        with_maps = [each for each in self._frames if each.maps]
        lines: list[ParityLine] = []
        for place, measure in enumerate(_MAPS):
            figures = {id(each): each.maps[place] for each in with_maps}
            lines += _worst(measure, with_maps, lambda each, of=figures: of[id(each)], limits[place], unit)  # type: ignore[misc]
        return tuple(lines)

    def _maps(self, base: Seen, other: Seen) -> tuple[tuple[float, ...], float]:
        if base.smoothed is None:
            return (), 0.0
        if other.smoothed is None or other.smoothed.shape != base.smoothed.shape:
            return (math.inf,) * 3, 1.0
        here = base.smoothed[base.judged].astype(np.float64)
        there = other.smoothed[base.judged].astype(np.float64)
        if not here.size:
            return (), 0.0
        # Above its threshold a pixel is measured by its own height: ten times as high may differ ten times as much.
        if self._scale is None:
            unit = np.maximum(self._atol + self._rtol * np.abs(here), 1e-300)
        else:
            unit = np.maximum(np.abs(here - self._scale.pixel_median), self._scale.map_height)
        difference = np.nan_to_num(np.abs(there - here) / unit, nan=np.inf)
        threshold = self._scale.pixel_threshold if self._scale is not None else None
        turned = 0.0 if threshold is None else float(np.mean((here > threshold) != (there > threshold)))
        # Of an infinite value no quantile can be interpolated.
        high = float(np.quantile(difference, 0.999, method="higher"))
        return (float(difference.mean()), high, float(difference.max())), turned


def _score_difference(base: float | None, other: float | None) -> float:
    """Infinite where only one of the two is a number."""
    if base is None and other is None:
        return 0.0
    if base is None or other is None or not (math.isfinite(base) and math.isfinite(other)):
        return math.inf
    return abs(other - base)


def _over(value: float, unit: float) -> float:
    if value == 0:
        return 0.0
    return value / unit if unit > 0 else math.inf


def _worst(
    measure: Measure, frames: Sequence[_Difference], figure: Callable[[_Difference], float], limit: float, unit: str = ""
) -> list[ParityLine]:
    """A line with the worst frame's figure and name; none where there is no frame to ask."""
    if not frames:
        return []
    figures = [figure(each) for each in frames]
    place = max(range(len(figures)), key=lambda index: figures[index])
    value = figures[place] if math.isfinite(figures[place]) else None
    return [ParityLine(measure=measure, value=value, limit=limit, unit=unit, detail=frames[place].name)]


def _to_fail(turned: tuple[Outcome, Outcome] | None) -> bool:
    return turned is not None and turned[0] is Outcome.PASS and turned[1] is Outcome.FAIL


def _turns(frames: Sequence[_Difference]) -> str:
    shown = ", ".join(f"{each.name} {each.turned[0].value} -> {each.turned[1].value}" for each in frames[:5] if each.turned)
    return shown + (f" and {len(frames) - 5} more" if len(frames) > 5 else "")
