"""How far a threshold may be set, and the card that comes of it."""

import math
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.methods import clopper_pearson as calibrated_interval
from calibration.methods import false_alarms
from calibration.methods.method import spread
from edge.commands.band import (
    Wanted,
    check_card,
    clopper_pearson,
    image_band,
    none_above,
    pixel_band,
    spread_of,
    with_thresholds,
)
from edge.commands.refusals import Refused
from edge.recipe import Hashes, ThresholdCard
from edge.recipe.card import BadFrames
from tests.recipe.builders import card as build

NOW = datetime(2026, 11, 22, 4, 5, 6, tzinfo=timezone.utc)
HASHES = Hashes(**dict.fromkeys(("bundle", "reference", "masks", "registration", "score_rule"), "0" * 64))


def card(**changes: Any) -> ThresholdCard:
    return build(HASHES, **changes)


def bad(*scores: float) -> BadFrames:
    hashes = tuple(f"{index:064x}" for index in range(len(scores)))
    return BadFrames(frames=len(scores), scores=scores, frame_sha256=hashes, missed=0, low=0, high=1)


def wanted(image: float | None = None, pixel: float | None = None) -> Wanted:
    return Wanted(image, pixel, "Kim", NOW, "because")


def test_the_band_goes_from_the_highest_good_score_one_range_up() -> None:
    made = card()
    band = image_band(made, made, 1.0)
    assert (band.low, band.high) == (0.9, pytest.approx(1.7))
    assert image_band(made, made, 0.0).high == 0.9
    assert pixel_band(made, made, 1.0).high == pytest.approx(1.7)


def test_what_the_calibration_gave_may_be_set_again() -> None:
    first = card(image_threshold=5.0, pixel_threshold=4.0)
    assert image_band(card(), first, 1.0).high == 5.0
    assert pixel_band(card(), first, 1.0).high == 4.0


def test_a_bad_frame_that_can_be_told_stays_bad() -> None:
    made = card(schema=2, bad=bad(0.5, 1.2, 3.0), image_threshold=5.0)
    high = image_band(made, made, 1.0).high
    assert high < 1.2 == math.nextafter(high, math.inf)
    with pytest.raises(Refused, match=r"outside 0\.9 to 1\.2"):
        with_thresholds(made, made, wanted(image=1.2), 1.0)


def test_the_new_card_says_what_it_is() -> None:
    before = card(schema=2, bad=bad(0.5, 1.2, 3.0), method="conformal")
    made = with_thresholds(before, before, wanted(image=1.1), 1.0)
    assert (made.method, made.image_threshold, made.pixel_threshold, made.before) == ("max", 1.1, 0.7, before.sha256)
    assert made.scores[-1] + made.parameters.margin * spread(made.scores) == pytest.approx(1.1)
    assert made.false_alarms.model_dump() == pytest.approx(false_alarms(made.scores, 1.1).model_dump(), abs=1e-9)
    assert made.bad is not None
    assert made.bad.missed == 1
    assert (made.bad.low, made.bad.high) == pytest.approx(calibrated_interval(1, 3))
    assert ThresholdCard.model_validate(made.model_dump(mode="json", by_alias=True)) == made


def test_only_the_pixel_threshold_leaves_the_rest_as_it_is() -> None:
    before = card()
    made = with_thresholds(before, before, wanted(pixel=1.0), 1.0)
    assert (made.image_threshold, made.pixel_threshold, made.method) == (0.9, 1.0, before.method)
    assert (made.parameters, made.false_alarms) == (before.parameters, before.false_alarms)


@given(st.floats(0, 10), st.floats(allow_nan=False, allow_infinity=False))
def test_a_card_that_was_set_never_condemns_or_frees_more_than_the_band(headroom: float, value: float) -> None:
    before = card()
    band = image_band(before, before, headroom)
    try:
        made = with_thresholds(before, before, wanted(image=value), headroom)
    except Refused:
        assert not band.low <= value <= band.high
        return
    assert made.headroom >= 0
    assert image_band(made, before, headroom) == band


def test_a_card_from_outside_cannot_vouch_for_itself() -> None:
    now = card()
    check_card(card(before=now.sha256, image_threshold=1.7), now, 1.0)
    check_card(card(), None, 1.0)
    for changes, named in (
        ({"before": now.sha256, "image_threshold": 1.71}, r"above 1\.7"),
        ({"before": now.sha256, "pixel_threshold": 9.0}, "pixel_threshold 9"),
        ({}, "does not follow"),
    ):
        with pytest.raises(Refused, match=named):
            check_card(card(**changes), now, 1.0)


@given(st.integers(1, 200), st.data())
def test_the_figures_are_those_of_the_calibration(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    assert clopper_pearson(hits, count) == pytest.approx(calibrated_interval(hits, count), abs=1e-6)
    scores = data.draw(st.lists(st.floats(-1e3, 1e3), min_size=count, max_size=count))
    assert spread_of(sorted(scores)) == pytest.approx(spread(scores), rel=1e-9, abs=1e-9)
    mine, theirs = none_above(count), false_alarms(sorted(scores), max(scores))
    for name in ("expected", "low", "high", "bound"):
        assert getattr(mine, name) == pytest.approx(getattr(theirs, name), abs=1e-6)
