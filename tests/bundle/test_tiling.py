"""Where tiles lie."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.bundle import Tiling, graph_size_wh, graphs
from tests.bundle.samples import declared


@st.composite
def tilings(draw: st.DrawFn) -> tuple[Tiling, tuple[int, int]]:
    size = draw(st.integers(1, 24))
    tiling = Tiling(size=size, overlap=draw(st.integers(0, size - 1)))
    return tiling, (draw(st.integers(size, 70)), draw(st.integers(size, 70)))


@given(tilings())
def test_tiles_cover_every_pixel_and_leave_the_image_nowhere(case: tuple[Tiling, tuple[int, int]]) -> None:
    tiling, (width, height) = case
    covered = np.zeros((height, width), int)
    for left, top in tiling.corners((width, height)):
        assert 0 <= left <= width - tiling.size
        assert 0 <= top <= height - tiling.size
        covered[top : top + tiling.size, left : left + tiling.size] += 1
    assert covered.min() >= 1
    assert len(set(tiling.corners((width, height)))) == len(tiling.corners((width, height)))


@given(tilings())
def test_neighbours_overlap_by_at_least_what_was_asked(case: tuple[Tiling, tuple[int, int]]) -> None:
    tiling, size_wh = case
    lefts = sorted({left for left, _ in tiling.corners(size_wh)})
    assert all(after - before <= tiling.size - tiling.overlap for before, after in pairwise(lefts))


def test_one_tile_where_the_image_is_one() -> None:
    assert Tiling(size=24, overlap=23).corners((24, 24)) == ((0, 0),)


def test_graphs_are_of_the_tiles_size() -> None:
    declaration = declared(tiling=Tiling(size=16, overlap=4))
    assert graph_size_wh(declaration) == (16, 16)
    assert graphs(declaration)[0].outputs[0].shape == (1, 16, 16)
    assert declaration.outputs[0].shape == (1, 24, 32)


def test_more_tiles_than_anyone_runs_are_refused() -> None:
    with pytest.raises(ValidationError, match="tiles are more than 1024"):
        declared(size_wh=(4096, 4096), tiling=Tiling(size=64, overlap=0))
