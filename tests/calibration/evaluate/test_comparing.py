from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from calibration.evaluate.comparing import compare, mcnemar
from calibration.evaluate.configurations import STATION
from calibration.evaluate.levels import Level
from edge.errors import ConfigError
from tests.calibration.evaluate.making import SHOTS, evaluation, row

LEVEL = (Level("max", "max", 2.5, 2.0),)


def one(scores, **changes):
    return evaluation([row(STATION, scores, levels=LEVEL)], **changes)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_two_sided_binomial_test(only_a, only_b):
    expected = 1.0 if only_a + only_b == 0 else binomtest(only_a, only_a + only_b, 0.5).pvalue
    assert mcnemar(only_a, only_b) == pytest.approx(expected, abs=1e-12)


def test_mcnemar_does_not_overflow():
    assert 0 <= mcnemar(1500, 900) < 1e-30
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(3, 3) == 1.0


def test_who_found_what_frame_by_frame():
    found = compare(one((1.0, 3.0, 5.0, 1.5)), one((1.0, 2.0, 5.0, 9.0)))
    assert [pair.who for pair in found.pairs] == ["both", "only B", "both", "only B"]
    assert [pair.a for pair in found.pairs] == ["right", "false_alarm", "right", "miss"]
    assert [pair.b for pair in found.pairs] == ["right"] * 4
    assert (found.pairs[3].score_a, found.pairs[3].score_b) == (1.5, 9.0)
    assert [pair.shot for pair in found.pairs] == list(SHOTS)


def test_the_counts_are_of_bad_of_good_and_of_all_frames():
    found = compare(one((1.0, 3.0, 5.0, 1.5)), one((9.0, 2.0, 1.0, 1.5)))
    bad, good, both = found.discords
    assert (bad.name, bad.both, bad.only_a, bad.only_b, bad.neither) == ("bad frames found", 0, 1, 0, 1)
    assert (good.name, good.both, good.only_a, good.only_b, good.neither) == ("good frames passed", 0, 1, 1, 0)
    assert (both.both, both.only_a, both.only_b, both.neither) == (0, 2, 1, 1)
    assert both.p_value == 1.0


def test_an_undecided_frame_was_not_judged_right():
    found = compare(one((None, 2.0, 5.0, None)), one((1.0, 2.0, 5.0, 9.0)))
    assert [pair.who for pair in found.pairs] == ["only B", "both", "both", "only B"]
    assert found.pairs[0].a == "undecided"


def test_each_is_held_to_its_own_threshold():
    strict = evaluation([row(STATION, (1.0, 2.0, 5.0, 1.5), levels=(Level("max", "max", 1.2, 1.0),))])
    found = compare(strict, one((1.0, 2.0, 5.0, 1.5)))
    assert [pair.who for pair in found.pairs] == ["both", "only B", "both", "only A"]


def test_other_frames_cannot_be_compared():
    other = tuple(replace(shot, path=shot.path + "x") for shot in SHOTS)
    with pytest.raises(ConfigError, match="not of the same labelled frames"):
        compare(one((1.0,) * 4), one((1.0,) * 4, shots=other))
    relabelled = (replace(SHOTS[0], bad=True), *SHOTS[1:])
    with pytest.raises(ConfigError, match="not of the same labelled frames"):
        compare(one((1.0,) * 4), one((1.0,) * 4, shots=relabelled))


def test_without_thresholds_there_is_nothing_to_compare():
    nothing = evaluation([row(levels=(Level("max", "max", refused="x"),))], title="the second")
    with pytest.raises(ConfigError, match=r"the second: has no thresholds to compare with: give good frames"):
        compare(one((1.0,) * 4), nothing)
