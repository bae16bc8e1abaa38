from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from calibration.drift import DriftSettings, Reading, Readings, judge_drift
from calibration.drift.readings import from_document, in_order, shift_of
from edge.recipe import Hashes
from tests.recipe.builders import card as make_card
from tests.recipe.builders import figures

START = datetime(2026, 11, 1, 6, tzinfo=timezone.utc)
SETTINGS = DriftSettings(permutations=500)


def good_scores(seed, count, shift=0.0):
    return np.random.default_rng(seed).normal(10 + shift, 1, count)


@pytest.fixture(scope="module")
def card():
    """30 scores around 10, threshold 13."""
    scores = tuple(sorted(map(float, good_scores(0, 30))))
    hashes = Hashes(**dict.fromkeys(("bundle", "reference", "masks", "registration", "score_rule"), "0" * 64))
    sha256 = tuple(f"{number:064x}" for number in range(30))
    return make_card(hashes, scores=scores, frames=30, frame_sha256=sha256, image_threshold=13.0, image=figures(30))


def readings(scores, *, threshold=13.0, hours=4.0, complete=True, timed=True, **fields):
    """One per score, `hours` apart; fields: per reading a sequence, or a value for all."""
    items = []
    for number, score in enumerate(scores):
        own = {name: value[number] if isinstance(value, (list, tuple, np.ndarray)) else value for name, value in fields.items()}
        at = START + timedelta(hours=hours * number) if timed else None
        outcome = "" if score is None else "FAIL" if score > threshold else "PASS"
        items.append(Reading(f"r{number}", at, None if score is None else float(score), outcome, registered=True, **own))
    return Readings(tuple(items), complete=complete)


def judged(card, made, **changes):
    return judge_drift(made, card, "front", SETTINGS.model_copy(update=changes))


def codes(report):
    return [finding.code for finding in report.findings]


def steady(count, seed=3, jitter=0.2):
    """A camera that stays: shifts, corners, gate, light and focus."""
    random = np.random.default_rng(seed)
    return {
        "shift_xy": [tuple(pair) for pair in random.normal(0, jitter, (count, 2))],
        "corner_px": random.uniform(0, 0.5, count),
        "gate_px": 60.0,
        "brightness": random.normal(1, 0.02, count),
        "sharpness": random.normal(1, 0.02, count),
        "contrast": random.normal(1, 0.02, count),
    }


def test_a_steady_line_has_nothing_to_do(card):
    report = judged(card, readings(good_scores(1, 48), **steady(48)))
    assert (report.status, report.findings, report.unknown) == ("ok", (), ())
    assert report.unit == "day"
    assert [day.judged for day in report.days] == [5, 6, 6, 6, 6, 6, 6, 6, 1]
    assert set(report.trends) == {"shift_x", "shift_y", "brightness", "sharpness"}


def test_a_steady_line_is_rarely_alarmed_however_many_days_are_looked_at(card):
    alarms = sum(judged(card, readings(good_scores(100 + seed, 60), **steady(60, seed))).status == "act" for seed in range(40))
    assert alarms <= 2


def test_drifted_scores_ask_for_calibration_with_the_evidence(card):
    report = judged(card, readings(good_scores(1, 30, shift=1.5), **steady(30)))
    assert codes(report) == ["recalibrate"]
    assert report.status == "act"
    assert "KS 0." in report.findings[0].evidence
    assert "spreads higher" in report.findings[0].evidence


def test_a_drift_that_fails_everything_is_not_hidden_by_the_threshold(card):
    """No frame passes any more, so those that pass say nothing: all judged frames decide."""
    report = judged(card, readings(good_scores(1, 30, shift=8), **steady(30)))
    assert codes(report) == ["recalibrate"]
    assert report.passed is None
    assert report.overall.p < 1e-6


def test_real_rejects_are_no_drift(card):
    """A fifth of the frames hold a leftover; the good ones are as they were."""
    scores = good_scores(5, 60)
    scores[::5] = 40.0
    report = judged(card, readings(scores, **steady(60)))
    assert "recalibrate" not in codes(report)
    assert report.passed.p > 0.05


def test_many_rejects_are_pointed_out_as_such(card):
    scores = good_scores(5, 60)
    scores[[*range(0, 60, 3), *range(1, 60, 12)]] = 40.0
    report = judged(card, readings(scores, hours=0.1, **steady(60)))
    assert codes(report) == ["look_at_rejects"]
    assert "25 of 60 frames fail" in report.findings[0].evidence


def test_one_bad_day_among_good_ones_is_named(card):
    scores = good_scores(2, 60)
    scores[23:29] += 4
    report = judged(card, readings(scores, threshold=13.0, **steady(60)))
    assert codes(report) == ["recalibrate"]
    assert "2026-11-05" in report.findings[0].evidence


def test_an_archive_with_a_sample_of_the_passes_is_judged_by_them_alone(card):
    """Every FAIL is kept and one PASS in a hundred: to count them together would see drift where there is none."""
    scores = np.concatenate([good_scores(1, 20), np.full(30, 40.0)])
    report = judged(card, readings(scores, complete=False, **steady(50)))
    assert report.overall is None
    assert report.status == "ok"
    drifted = np.concatenate([good_scores(1, 20, shift=2), np.full(30, 40.0)])
    assert codes(judged(card, readings(drifted, complete=False, **steady(50)))) == ["recalibrate"]


@pytest.mark.parametrize("kind", ["few frames", "no card", "few scores on the card", "nothing"])
def test_too_little_data_is_said_not_guessed(card, kind):
    count = {"few frames": 5, "nothing": 0}.get(kind, 20)
    few = card.model_copy(update={"frames": 4, "scores": card.scores[:4]})
    held = {"no card": None, "few scores on the card": few}.get(kind, card)
    report = judged(held, readings(good_scores(1, count)))
    assert report.status == "unknown"
    assert any("scores" in why for why in report.unknown)
    assert report.figures()["drift.front.unknown"] == 1


def test_frames_that_were_not_judged_count_for_nothing(card):
    report = judged(card, readings([*good_scores(1, 20), *[None] * 20], **steady(40)))
    assert report.overall.recent == 20
    assert report.status == "ok"


def test_a_camera_that_was_moved_is_found_with_the_moment(card):
    made = steady(40)
    made["shift_xy"] = [(x + 8 * (number >= 25), y) for number, (x, y) in enumerate(made["shift_xy"])]
    report = judged(card, readings(good_scores(1, 40), **made))
    assert codes(report) == ["camera_moved"]
    assert "shift_x jumped by +8" in report.findings[0].evidence
    assert "2026-11-05 10:00 UTC" in report.findings[0].evidence


def test_a_camera_that_creeps_is_found_with_its_slope(card):
    made = steady(40)
    made["shift_xy"] = [(x, y + 0.2 * number) for number, (x, y) in enumerate(made["shift_xy"])]
    report = judged(card, readings(good_scores(1, 40), **made))
    assert codes(report) == ["camera_moved"]
    assert "shift_y creeps by +7" in report.findings[0].evidence


def test_a_camera_near_its_gate_and_one_that_does_not_register_are_found(card):
    made = steady(20) | {"corner_px": 30.0}
    assert "corners lie 30.0 px" in judged(card, readings(good_scores(1, 20), **made)).findings[0].evidence
    good = readings(good_scores(1, 20), **steady(20))
    lost = tuple(Reading(f"x{number}", START + timedelta(days=9, hours=number), registered=False) for number in range(4))
    report = judged(card, Readings(good.items + lost))
    assert codes(report) == ["camera_moved"]
    assert "4 of 24 frames do not register, first x0" in report.findings[0].evidence


@pytest.mark.parametrize(
    ("field", "values", "code"),
    [
        ("brightness", lambda t: 0.7 + 0 * t, "light_changed"),
        ("brightness", lambda t: 1.4 + 0 * t, "light_changed"),
        ("brightness", lambda t: 1.05 - 0.22 * t, "light_changed"),
        ("sharpness", lambda t: 0.6 + 0 * t, "clean_lens"),
        ("sharpness", lambda t: 1.1 - 0.25 * t, "clean_lens"),
        ("contrast", lambda t: 0.6 + 0 * t, "clean_lens"),
    ],
)
def test_light_and_lens_are_told_apart(card, field, values, code):
    made = steady(40)
    made[field] = values(np.linspace(0, 1, 40)) + np.random.default_rng(7).normal(0, 0.01, 40)
    report = judged(card, readings(good_scores(1, 40), **made))
    assert codes(report) == [code]


def test_sharper_than_the_reference_is_nothing_to_clean(card):
    made = steady(40) | {"sharpness": np.linspace(1, 1.5, 40)}
    assert judged(card, readings(good_scores(1, 40), **made)).status == "ok"


def test_without_frames_light_and_focus_cannot_be_told(card):
    report = judged(card, readings(good_scores(1, 20)))
    assert report.status == "ok"
    assert any("light and focus" in why for why in report.unknown)


def test_figures_are_flat_and_finite(card):
    figures = judged(card, readings(good_scores(1, 30, shift=1.5), **steady(30))).figures()
    assert figures["drift.front.act"] == 1
    assert figures["drift.front.finding.recalibrate"] == 1
    assert {"drift.front.psi", "drift.front.ks", "drift.front.p", "drift.front.brightness"} <= set(figures)
    assert all(isinstance(value, float) and np.isfinite(value) for value in figures.values())


def test_without_times_frames_are_grouped_by_number():
    made = Readings(tuple(Reading(f"{number}", None, 1.0) for number in range(25)), per_group=10)
    assert made.unit == "group"
    assert [(group.label, len(group.readings)) for group in made.groups()] == [("1", 10), ("2", 10), ("3", 5)]


def test_readings_are_put_in_order_of_time():
    late, early = Reading("b", START + timedelta(hours=1)), Reading("a", START)
    assert [item.name for item in in_order([late, early])] == ["a", "b"]
    untimed = Reading("c", None)
    assert [item.name for item in in_order([late, untimed, early])] == ["b", "c", "a"]


def test_the_middle_of_the_picture_is_followed():
    matrix = np.array([[1, 0, 5], [0, 1, -2], [0, 0, 1]], float)
    assert shift_of(matrix, (101, 51)) == pytest.approx((5, -2))


@pytest.mark.parametrize(
    "broken", [{}, {"creationTime": "yesterday"}, {"creationTime": "2026-11-22T04:05:06Z", "outcome": 1, "score": "x"}]
)
def test_what_is_no_result_is_said(broken):
    with pytest.raises(ValueError, match="no lineclear/result/1"):
        from_document(broken, (100, 100))
