from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge.engines.agreement import Scale, Seen, Tally
from edge.engines.parity_limits import DEFAULT, FAMILIES, limits_of
from edge.recipe import ParityLine
from edge.types import Outcome
from tests.recipe.builders import card, figures

SCALE = Scale(image_threshold=10.0, spread=1.0, pixel_threshold=8.0, pixel_median=4.0)
JUDGED = np.ones((4, 5), np.bool_)
JUDGED[0] = False


def seen(score: float | None, level: float = 5.0, outcome: Outcome | None = None, **changes: Any) -> Seen:
    smoothed = np.full((4, 5), level, np.float32)
    outcome = outcome or (Outcome.UNDECIDED if score is None else Outcome.FAIL if score > 10 else Outcome.PASS)
    return replace(Seen(score, smoothed, JUDGED, outcome), **changes)


def tallied(*pairs: tuple[Seen, Seen], scale: Scale | None = SCALE) -> dict[str, ParityLine]:
    tally = Tally(scale, DEFAULT, (0.1, 0.01))
    for place, (base, other) in enumerate(pairs):
        tally.add(f"frame {place}", base, other)
    assert len(tally) == len(pairs)
    return {line.measure: line for line in tally.lines()}


def test_the_same_scores_and_maps_are_equal() -> None:
    lines = tallied((seen(3.0), seen(3.0)), (seen(30.0), seen(30.0)))
    assert [line.value for line in lines.values()] == [0.0] * len(lines)
    assert set(lines) == {
        "verdicts to PASS", "other verdicts", "score over margin", "score over spread", "pixels", "map mean", "map p99.9",
        "map max",
    }  # fmt: skip


def test_no_frame_gives_no_line() -> None:
    assert tallied() == {}


def test_a_leftover_that_passes_is_never_excused() -> None:
    lines = tallied((seen(10.01), seen(9.99)))
    assert lines["verdicts to PASS"].value == 1
    assert not lines["verdicts to PASS"].passed
    assert lines["verdicts to PASS"].detail == "frame 0 FAIL -> PASS"


def test_the_good_frame_that_set_the_threshold_may_turn_to_fail() -> None:
    lines = tallied((seen(10.0), seen(10.01)), (seen(5.0), seen(5.0)))
    assert lines["other verdicts"].value == 0
    assert lines["other verdicts"].detail == "1 on the threshold itself turned to FAIL and count as equal"
    assert lines["score over margin"].value == 0
    assert not tallied((seen(9.0), seen(10.01)))["other verdicts"].passed


def test_undecided_in_one_of_both_is_a_verdict_that_turned() -> None:
    lines = tallied((seen(3.0), seen(None, smoothed=None)))
    assert lines["other verdicts"].value == 1
    assert lines["score over margin"].value is None
    assert lines["map max"].value is None
    assert lines["pixels"].value == 1.0
    assert tallied((seen(None), seen(3.0)))["verdicts to PASS"].value == 1


def test_scores_are_measured_by_margin_and_by_what_good_frames_differ_by() -> None:
    lines = tallied((seen(6.0), seen(6.4)), (seen(110.0), seen(120.0)))
    assert lines["score over margin"].value == pytest.approx(0.1)
    assert lines["score over spread"].value == pytest.approx(0.4), "the frame far above the threshold says nothing here"
    assert not lines["score over spread"].passed
    assert lines["score over spread"].detail == "frame 0"


def test_maps_are_measured_inside_the_judged_area_by_height() -> None:
    other = seen(5.0)
    spoilt = np.array(other.smoothed)
    spoilt[0] = 1e6
    spoilt[1, 0] = 6.0
    lines = tallied((seen(5.0), replace(other, smoothed=spoilt)))
    assert lines["map max"].value == pytest.approx(0.25)
    assert lines["map mean"].value == pytest.approx(0.25 / 15)
    assert lines["pixels"].value == 0
    high = seen(90.0, 104.0), seen(90.0, 114.0)
    assert tallied(high)["map max"].value == pytest.approx(0.1), "ten times as high may differ ten times as much"


def test_pixels_that_cross_their_threshold_are_counted() -> None:
    spoilt = np.full((4, 5), 5.0, np.float32)
    spoilt[2, 2] = 8.5
    assert tallied((seen(5.0), seen(5.0, smoothed=spoilt)))["pixels"].value == pytest.approx(1 / 15)


def test_nan_is_beyond_every_limit() -> None:
    lines = tallied((seen(5.0), seen(math.nan, math.nan)))
    assert not any(
        lines[name].passed for name in ("score over margin", "score over spread", "map mean", "map p99.9", "map max")
    )


def test_without_a_map_only_verdicts_and_scores_are_compared() -> None:
    scale = Scale.of(card_without_map())
    lines = tallied((seen(0.5, smoothed=None), seen(0.51, smoothed=None)), scale=scale)
    assert set(lines) == {"verdicts to PASS", "other verdicts", "score over margin", "score over spread"}


def test_without_a_card_the_bundles_own_limits_hold() -> None:
    lines = tallied((seen(10.0), seen(10.1)), scale=None)
    assert lines["score"].value == pytest.approx(0.1 / 0.2)
    assert set(lines) == {"score", "map mean", "map p99.9", "map max"}
    off = tallied((seen(10.0, 5.0), seen(10.0, 5.3)), scale=None)
    assert off["map max"].value == pytest.approx(2.0, rel=1e-5)
    assert not off["map max"].passed


def card_without_map() -> Any:
    hashes = dict.fromkeys(("bundle", "reference", "masks", "registration", "score_rule"), "0" * 64)
    return card(hashes, schema=3, pixel_threshold=None, pixel=None)  # type: ignore[arg-type]


def test_the_scale_is_never_zero() -> None:
    flat = figures().model_copy(update={"std": 0.0})
    scale = Scale.of(card_without_map().model_copy(update={"image": flat}))
    assert scale.spread > 0
    assert Scale(0.0, 1.0, 2.0, 5.0).map_height > 0


def test_every_family_says_why() -> None:
    assert limits_of("never seen") is DEFAULT
    assert limits_of("ddads") is limits_of("ddad")
    for name, limits in FAMILIES.items():
        assert limits.why, name
        assert limits.margin < 1, f"{name}: a difference of the whole margin turns a verdict"
