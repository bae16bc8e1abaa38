"""The benchmark on printed boards counts as it says, and its method finds what it should on the first pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.deeppcb import DATA, GATES, Pair, Row, Scored, count, plain, read_pairs, score, table, tuned_threshold
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.settings.engines import OnnxRuntimeSettings
from export.adapters.comparison import write_comparison
from export.adapters.comparison_model import ComparisonSettings


def _pair(*boxes: tuple[int, int, int, int]) -> Pair:
    blank = np.zeros((40, 50), np.uint8)
    return Pair("made-up", blank, blank.copy(), boxes)


def _predicted(*places: tuple[int, int]) -> np.ndarray:
    found = np.zeros((40, 50), bool)
    for x, y in places:
        found[y, x] = True
    return found


def test_a_box_is_touched_by_one_pixel_and_not_by_one_just_outside() -> None:
    pair = _pair((10, 10, 20, 20), (30, 10, 40, 20))
    inside = count("m", [(pair, _predicted((10, 10)))])
    assert (inside.boxes, inside.touched, inside.false_images, inside.false_regions) == (2, 1, 0, 0)
    beyond = count("m", [(pair, _predicted((20, 10), (9, 19)))])
    assert (beyond.touched, beyond.false_images, beyond.false_regions) == (0, 1, 2)


def test_a_region_that_leaves_its_box_is_false_outside_it_and_diagonal_neighbours_are_one() -> None:
    pair = _pair((10, 10, 20, 20))
    row = count("m", [(pair, _predicted((19, 15), (20, 15), (21, 16), (40, 30)))])
    assert (row.touched, row.false_images, row.false_regions) == (1, 1, 2)


def test_an_undecided_pair_touches_nothing_and_alarms_nothing() -> None:
    row = count("m", [(_pair((1, 1, 5, 5)), None), (_pair((1, 1, 5, 5)), _predicted((2, 2)))])
    assert row == Row("m", 2, 1, 2, 1, 0, 0)
    assert "50.0 %" in row.line()


def test_the_baseline_is_above_100_after_an_opening() -> None:
    pair = _pair()
    pair.test[5:8, 5:8] = 101
    pair.test[20:23, 20:23] = 100
    pair.test[30:32, 30:40] = 255
    found = plain(pair)
    assert found[5:8, 5:8].all()
    assert found.sum() == 9


def test_the_threshold_comes_from_the_faintest_box_of_the_tuning_part() -> None:
    scores = np.zeros((40, 50), np.float32)
    scores[12, 12], scores[12, 32] = 80, 50
    pair = _pair((10, 10, 20, 20), (30, 10, 40, 20))
    assert tuned_threshold([Scored(pair, scores, "track")]) == pytest.approx(45)


@pytest.mark.skipif(not DATA.is_dir(), reason="shared/data/deeppcb is not there")
def test_the_first_boards(tmp_path: Path) -> None:
    pairs = read_pairs(DATA)[:4]
    assert GATES.max_shear == 0.03
    bundle = write_comparison(tmp_path / "b", (640, 640), ComparisonSettings(), "tests")
    with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=2)) as engine:
        scored = [score(pair, bundle, engine, ("track",)) for pair in pairs]
    rows, threshold = table(pairs, scored)
    assert threshold > 80
    baseline, tracked = rows[:2]
    assert tracked.touched == tracked.boxes == baseline.boxes
    assert tracked.false_regions < baseline.false_regions / 5
