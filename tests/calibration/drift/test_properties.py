"""What must hold for any data: p-values in 0..1, order does not matter, nothing crashes, text and JSON are whole."""

import json
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.commands.drift import STATUS
from calibration.drift import DriftSettings, Reading, Readings, compare, holm, judge_drift, trend
from calibration.drift.telling import describe, document
from edge.recipe import Hashes
from tests.recipe.builders import card as make_card
from tests.recipe.builders import figures

finite = st.floats(-1e6, 1e6, allow_subnormal=False)
samples = st.lists(finite, min_size=2, max_size=40)
FAST = DriftSettings(permutations=100)
START = datetime(2026, 11, 1, tzinfo=timezone.utc)


def card_of(scores):
    hashes = Hashes(**dict.fromkeys(("bundle", "reference", "masks", "registration", "score_rule"), "0" * 64))
    sha256 = tuple(f"{number:064x}" for number in range(len(scores)))
    limit = max(scores)
    held = {"image_threshold": limit, "pixel_threshold": limit, "image": figures(len(scores))}
    return make_card(hashes, scores=tuple(sorted(scores)), frames=len(scores), frame_sha256=sha256, **held)


@given(then=samples, now=samples)
@settings(max_examples=60, deadline=None)
def test_p_values_are_probabilities_and_order_does_not_matter(then, now):
    found = compare(then, now, 100)
    assert 0 <= found.p <= 1
    assert 0 <= found.ks_p <= 1
    assert 0 < found.psi_p <= 1
    assert 0 <= found.ks <= 1
    assert found.psi >= -1e-12
    assert compare(then[::-1], now[::-1], 100) == found


@given(values=st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_between_nothing_and_bonferroni(values):
    adjusted = holm(values)
    for plain, after in zip(values, adjusted, strict=True):
        assert plain <= after <= min(1.0, len(values) * plain) + 1e-12
    ranked = [after for _, after in sorted(zip(values, adjusted, strict=True))]
    assert ranked == sorted(ranked)


@given(values=st.lists(st.one_of(finite, st.just(float("nan"))), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_a_trend_of_anything_is_none_or_whole(values):
    found = trend(np.arange(len(values), dtype=float), np.array(values))
    known = sum(np.isfinite(values))
    assert (found is None) == (known < 8)
    if found is not None:
        assert found.count == known
        assert 0 <= found.p <= 1
        assert 0 <= found.step_p <= 1
        assert found.low <= found.slope <= found.high
        assert 0 < found.step_at < len(values)


reading = st.builds(
    Reading,
    name=st.text(max_size=5),
    at=st.one_of(st.none(), st.integers(0, 240).map(lambda hours: START + timedelta(hours=hours))),
    score=st.one_of(st.none(), st.floats(0, 100)),
    outcome=st.sampled_from(["PASS", "FAIL", "UNDECIDED"]),
    registered=st.sampled_from([None, True, False]),
    shift_xy=st.one_of(st.none(), st.tuples(st.floats(-50, 50), st.floats(-50, 50))),
    corner_px=st.one_of(st.none(), st.floats(0, 50)),
    gate_px=st.one_of(st.none(), st.just(60.0)),
    brightness=st.one_of(st.none(), st.floats(0, 3)),
    sharpness=st.one_of(st.none(), st.floats(0, 3)),
    contrast=st.one_of(st.none(), st.floats(0, 3)),
)


@given(items=st.lists(reading, max_size=30), complete=st.booleans(), with_card=st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_readings_make_the_judgement_stumble(items, complete, with_card):
    card = card_of([float(number) for number in range(20, 32)]) if with_card else None
    report = judge_drift(Readings(tuple(items), {"x": 1}, complete), card, "front", FAST)
    assert report.status in STATUS
    text = describe(report)
    assert text.endswith("\n")
    assert "left out: 1 x" in text
    told = json.loads(json.dumps(document(report), allow_nan=False))
    assert told["status"] == report.status
    assert sum(day["frames"] for day in told["days"]) == len(items)
    assert (report.status == "ok") == ("nothing to do" in text)


@given(items=st.lists(reading, min_size=1, max_size=30), size=st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_groups_hold_every_reading_once(items, size):
    made = Readings(tuple(items), per_group=size)
    grouped = [one for group in made.groups() for one in group.readings]
    assert sorted(map(id, grouped)) == sorted(map(id, items))
    if made.unit == "group":
        assert all(len(group.readings) == size for group in made.groups()[:-1])


@pytest.mark.parametrize(("shift", "status"), [(0.0, 0), (6.0, 1)])
def test_the_status_is_what_cron_sees(shift, status):
    random = np.random.default_rng(4)
    card = card_of([float(value) for value in random.normal(10, 1, 30)])
    items = [
        Reading(f"{number}", START + timedelta(hours=number), float(value), "PASS", True)
        for number, value in enumerate(random.normal(10 + shift, 1, 30))
    ]
    report = judge_drift(Readings(tuple(items)), card, "front", FAST)
    assert STATUS[report.status] == status
    assert ("recalibrate" in describe(report)) == bool(status)
