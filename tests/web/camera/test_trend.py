"""Where the camera stood over time: seen from documents of results, and drawn."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.web.reference.charting import HEIGHT, WIDTH, charts_of, nice_top
from calibration.web.reference.trend import Stand, Trend, stand_of, step_in, trend_of
from edge.archive import ArchiveReader

START = datetime(2026, 11, 22, 8, 0, tzinfo=timezone.utc)


def row(shifts: list[float], noise: float = 0.1, seed: int = 0, turn: float = 0.0) -> tuple[Stand, ...]:
    rng = np.random.default_rng(seed)
    return tuple(
        Stand(
            f"r{n}", START + timedelta(minutes=n), True, shift + rng.normal(0, noise), rng.normal(0, noise), turn, 0.2, 30, 1.5
        )
        for n, shift in enumerate(shifts)
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(5, 30), st.integers(5, 30), st.floats(3, 40), st.integers(0, 1000))
def test_a_move_is_found_where_it_was(before: int, after: int, size: float, seed: int) -> None:
    step = step_in(row([0.0] * before + [size] * after, seed=seed))
    assert step is not None
    assert step.at == START + timedelta(minutes=before)
    assert step.size_px == pytest.approx(size, abs=0.3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 60), st.integers(0, 200))
def test_a_camera_that_stands_still_was_not_moved(count: int, seed: int) -> None:
    assert step_in(row([0.0] * count, noise=0.1, seed=seed)) is None


def test_somebody_who_walked_past_is_no_move() -> None:
    shifts = [0.0] * 30
    shifts[12:14] = [25.0, 30.0]
    assert step_in(row(shifts)) is None


def test_a_turn_alone_is_a_move() -> None:
    found = step_in(row([0.0] * 8, turn=0.0) + row([0.0] * 8, turn=0.8))
    assert found is not None
    assert found.turn_deg == pytest.approx(0.8)


def test_what_could_not_be_registered_is_passed_over() -> None:
    lost = Stand("x", START, trusted=False)
    assert step_in((lost,) * 40) is None
    trend = Trend((lost, *row([1.0, 2.0])), None)
    assert len(trend.measured) == 2
    charts = charts_of(trend)
    assert [mark.y is None for mark in charts[0].marks] == [True, False, False]


@pytest.mark.parametrize(
    "document",
    [{}, {"alignment": None}, {"alignment": "x"}, {"alignment": []}, {"alignment": {"trusted": True, "frameToReference": "x"}}],
)
def test_a_document_of_something_else_is_no_stand(document: dict[str, Any]) -> None:
    found = stand_of(document, "r", START, (240, 180))
    assert found is None or not found.trusted


def test_a_document_gives_shift_residual_and_limits() -> None:
    gates = [{"name": "shift_px", "limit": 14.0}, {"name": "residual_px", "limit": 1.5}, "x", {"name": "scale", "limit": None}]
    matrix = [[1, 0, -3], [0, 1, 2], [0, 0, 1]]
    alignment = {"trusted": True, "frameToReference": matrix, "residualPx": 0.3, "gates": gates}
    found = stand_of({"alignment": alignment}, "r", START, (240, 180))
    assert found is not None
    assert (found.right_px, found.down_px, found.residual_px) == pytest.approx((3, -2, 0.3))
    assert (found.shift_limit, found.residual_limit) == (14.0, 1.5)


def test_no_archive_is_an_empty_trend(tmp_path: Path) -> None:
    trend = trend_of(ArchiveReader(tmp_path / "nowhere"), "front", (240, 180), 50)
    assert trend == Trend((), None)
    assert all(chart.marks == () for chart in charts_of(trend))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 500), min_size=1, max_size=40))
def test_charts_stay_on_their_paper(shifts: list[float]) -> None:
    for chart in charts_of(Trend(row(shifts), None)):
        assert chart.limit_y is None or 0 <= chart.limit_y <= HEIGHT
        for mark in chart.marks:
            assert 0 <= mark.x <= WIDTH
            assert mark.y is not None
            assert 0 <= mark.y <= HEIGHT


@given(st.floats(1e-6, 1e6))
def test_the_end_of_an_axis_is_round_and_not_below(largest: float) -> None:
    top = nice_top(largest)
    assert largest * (1 - 1e-6) <= top <= 2.51 * largest
    assert nice_top(0) == 1.0
