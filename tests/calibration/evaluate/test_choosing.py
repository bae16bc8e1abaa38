from dataclasses import replace

import pytest

from calibration.evaluate.choosing import RULE, best_evaluation, best_method, best_row, row_key
from calibration.evaluate.configurations import EIGHT, STATION
from calibration.evaluate.levels import Level
from calibration.evaluate.results import Figure, MethodRow, Tally
from tests.calibration.evaluate.making import evaluation, row

BY_CODE = {each.code: each for each in EIGHT}


def method(kind, alarms=0, misses=0, undecided=0):
    return MethodRow(Level(kind, kind, 1.0, 1.0), Tally(10, 10, alarms, misses, undecided, 0))


def refused(kind):
    return MethodRow(Level(kind, kind, refused="too few"))


def test_the_higher_accuracy_wins():
    assert best_method([method("max", alarms=3), method("sigma", alarms=1), method("quantile", alarms=2)]) == 1


@pytest.mark.parametrize(
    ("kinds", "winner"),
    [
        (("quantile", "sigma", "max"), "max"),
        (("quantile", "sigma"), "sigma"),
        (("extreme", "conformal", "quantile"), "quantile"),
        (("extreme", "conformal"), "conformal"),
        (("max", "card"), "card"),
    ],
)
def test_ties_go_max_before_sigma_before_quantile_whatever_their_order(kinds, winner):
    methods = [method(kind, alarms=1) for kind in kinds]
    assert methods[best_method(methods)].level.kind == winner


def test_a_tie_goes_by_accuracy_and_not_by_what_was_wrong():
    assert best_method([method("sigma", alarms=2), method("max", misses=2)]) == 1


def test_refused_methods_cannot_win():
    assert best_method([refused("max"), method("extreme", alarms=9)]) == 1
    assert best_method([refused("max"), refused("sigma")]) is None
    assert best_method([]) is None


def test_undecided_frames_count_against_a_method():
    assert best_method([method("max", undecided=3), method("sigma", alarms=2)]) == 1


def with_method(code, kind, alarms=0, misses=0, auroc=0.9):
    made = row(BY_CODE[code])
    return replace(made, methods=(method(kind, alarms, misses),), chosen=0, image_auroc=Figure(auroc))


def test_the_configuration_with_the_higher_accuracy_wins():
    rows = [with_method("PO+M+R", "max", alarms=2), with_method("PRE+NM+NR", "quantile", alarms=1)]
    assert best_row(rows) == 1


def test_then_the_more_conservative_method():
    rows = [with_method("PRE+M+R", "sigma", alarms=1), with_method("PO+NM+NR", "max", alarms=1)]
    assert best_row(rows) == 1


def test_then_fewer_misses():
    rows = [with_method("PRE+M+R", "max", misses=2), with_method("PO+M+NR", "max", alarms=2)]
    assert best_row(rows) == 1


def test_then_the_higher_image_auroc_and_undefined_is_the_lowest():
    rows = [with_method("PRE+M+R", "max", auroc=0.8), with_method("PO+M+NR", "max", auroc=0.9)]
    assert best_row(rows) == 1
    rows = [with_method("PRE+M+R", "max", auroc=None), with_method("PO+M+NR", "max", auroc=0.0)]
    assert best_row(rows) == 1


def test_then_the_nearest_to_the_stations_own_way():
    rows = [with_method(each.code, "max") for each in EIGHT]
    assert rows[best_row(rows)].configuration == STATION
    without_station = [each for each in rows if not each.configuration.registered]
    assert without_station[best_row(without_station)].configuration.code == "PRE+M+NR"


def test_the_keys_of_different_configurations_never_tie():
    keys = [row_key(with_method(each.code, "max")) for each in EIGHT]
    assert len(set(keys)) == len(EIGHT)


def test_nothing_that_could_be_judged():
    empty = row(levels=(Level("max", "max", refused="too few"),))
    assert best_row([empty]) is None
    assert row_key(empty) == (-1.0,)


def test_the_best_bundle_is_the_one_with_the_best_row():
    poor = evaluation([with_method("PRE+M+R", "max", alarms=5)], title="poor")
    good = evaluation([with_method("PRE+M+R", "max", alarms=1)], title="good")
    assert best_evaluation([poor, good]) == 1
    assert best_evaluation([good, poor]) == 0
    assert best_evaluation([good, replace(good, title="twin")]) == 0


def test_no_bundle_could_be_judged():
    nothing = evaluation([row(levels=(Level("max", "max", refused="x"),))])
    assert nothing.best is None
    assert best_evaluation([nothing]) is None
    assert best_evaluation([nothing, evaluation([with_method("PRE+M+R", "max")])]) == 1


def test_the_rule_names_what_it_does():
    for word in ("max, sigma, quantile", "fewer misses", "PRE+M+R", "flatters"):
        assert word in RULE


def test_where_every_frame_is_undecided_nothing_is_best():
    blind = row(scores=(None, None, None, None))
    assert blind.method is not None, "thresholds there are"
    assert best_row([blind]) is None
    assert best_row([blind, with_method("PO+M+R", "max", alarms=9)]) == 1
    assert evaluation([blind]).best is None
