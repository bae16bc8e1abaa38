import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.methods import Method, clopper_pearson, cost_optimum, enough, image_threshold, missed_share, take_levels
from edge.errors import ConfigError

COST = Method(kind="cost")
EVEN = Method(kind="cost", miss_cost=1.0, bad_share=0.5)
GOOD = np.array([1.0, 1.1, 1.2, 1.3, 1.4])
some = st.lists(st.integers(0, 30), min_size=5, max_size=25).map(lambda values: np.array(values, np.float64))


def test_between_two_kinds_that_do_not_overlap_it_is_the_middle_of_the_gap():
    best = cost_optimum(GOOD, GOOD + 2, COST)
    assert best.threshold == pytest.approx((1.4 + 3.0) / 2)
    assert (best.cost_per_1000, best.alarmed, best.missed) == (0, 0, 0)
    assert best.low <= best.threshold <= best.high
    assert best.low > 1.4 - 0.5
    assert best.high < 3.4
    assert image_threshold(GOOD, COST, GOOD + 2) == best.threshold


def test_a_dear_miss_pulls_it_down_and_a_dear_alarm_up():
    random = np.random.default_rng(0)
    good, bad = random.normal(0, 1, 300), random.normal(2, 1, 300)
    cautious, even, bold = (
        cost_optimum(good, bad, Method(kind="cost", miss_cost=cost, bad_share=0.5)) for cost in (20.0, 1.0, 0.05)
    )
    assert cautious.threshold < even.threshold < bold.threshold
    assert cautious.missed < even.missed < bold.missed
    # Two normals of one width: the optimum is where their densities meet.
    assert even.threshold == pytest.approx(1.0, abs=0.35)
    assert even.low < 1.0 < even.high
    assert even.high - even.low < 1.5


def test_the_share_of_bad_frames_weighs_as_the_cost_does():
    random = np.random.default_rng(1)
    good, bad = random.normal(0, 1, 100), random.normal(2, 1, 100)
    rare = cost_optimum(good, bad, Method(kind="cost", miss_cost=99.0, bad_share=0.01))
    even = cost_optimum(good, bad, EVEN)
    assert rare.threshold == even.threshold


@given(some, some, st.sampled_from([0.2, 1.0, 7.0]), st.sampled_from([0.1, 0.5]))
@settings(max_examples=60, deadline=None)
def test_no_threshold_is_cheaper(good, bad, miss_cost, bad_share):
    method = Method(kind="cost", miss_cost=miss_cost, bad_share=bad_share)

    def cost(level):
        return (1 - bad_share) * np.mean(good > level) + bad_share * miss_cost * np.mean(bad <= level)

    everywhere = np.arange(-0.5, 31)
    trivial = min(1 - bad_share, bad_share * miss_cost)
    try:
        best = cost_optimum(good, bad, method)
    except ConfigError:
        assert min(map(cost, everywhere)) >= trivial - 1e-9
        return
    assert cost(best.threshold) == pytest.approx(min(map(cost, everywhere)))
    assert best.cost_per_1000 == pytest.approx(1000 * cost(best.threshold))
    assert (best.alarmed, best.missed) == ((good > best.threshold).sum(), (bad <= best.threshold).sum())


def test_what_cannot_be_told_apart_or_is_too_little_is_refused():
    with pytest.raises(ConfigError, match="do not tell these bad frames from the good"):
        cost_optimum(GOOD + 5, GOOD, COST)
    with pytest.raises(ConfigError, match=r"3 bad frames are too few.*give 2 more"):
        cost_optimum(GOOD, GOOD[:3] + 5, COST)
    with pytest.raises(ConfigError, match="--bad DIR"):
        image_threshold(GOOD, COST)
    with pytest.raises(ConfigError, match="1 of 6 scores of bad frames are NaN"):
        cost_optimum(GOOD, np.append(GOOD, np.nan), COST)


def test_the_optimum_may_condemn_a_good_frame_and_says_so():
    good = np.append(GOOD, 9.0)
    levels = take_levels(good, np.ones(4), EVEN, bad=np.array([3.0, 3.1, 3.2, 3.3, 3.4]))
    assert 1.4 < levels.image < 3.0
    assert levels.false_alarms.above == 1
    assert levels.false_alarms.expected == pytest.approx(2 / 7)


def test_misses_have_their_interval():
    assert missed_share(np.array([1.0, 2.0, 3.0, 4.0]), 2.0)[0] == 2
    missed, low, high = missed_share(np.arange(100.0) + 5, 1.0)
    assert (missed, low) == (0, 0.0)
    assert high == pytest.approx(1 - 0.025 ** (1 / 100))


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (3, 10), (10, 10), (1, 250), (249, 250)])
def test_clopper_pearson_is_scipys(hits, count):
    stats = pytest.importorskip("scipy.stats", reason="scipy is in the extra `calibration`")
    theirs = stats.binomtest(hits, count).proportion_ci(0.95, "exact")
    assert clopper_pearson(hits, count) == (pytest.approx(theirs.low, abs=1e-9), pytest.approx(theirs.high, abs=1e-9))


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (79, "79 frames: 20 more for 1 % expected false alarms, 220 more for a 1 % bound at 95 % confidence"),
        (279, "279 frames: 20 more for a 1 % bound at 95 % confidence"),
        (299, "299 frames are enough for a 1 % bound on the false alarms"),
    ],
)
def test_enough_frames_is_said_not_guessed(count, said):
    assert enough(count) == said
