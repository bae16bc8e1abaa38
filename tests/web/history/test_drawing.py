"""What is drawn in a browser becomes exactly those pixels, and no drawing costs more than it may."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.web.history.labels import MAX_POINTS, MAX_SHAPES, DrawingError, paint, read_shapes

SIZE = (40, 30)


def painted(*shapes: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return paint(read_shapes(json.dumps(shapes)), SIZE)


def test_a_box_marks_the_pixels_between_its_corners() -> None:
    for points in ([[5, 10], [15, 12]], [[15, 12], [5, 10]], [[5, 12], [15, 10]]):
        mask = painted({"kind": "box", "points": points})
        assert mask[10:12, 5:15].all()
        assert mask.sum() == 20


def test_a_polygon_marks_the_pixels_whose_centres_it_holds() -> None:
    mask = painted({"kind": "polygon", "points": [[0, 0], [4, 0], [4, 4], [0, 4]]})
    assert mask.sum() == 16
    assert mask[:4, :4].all()


def test_a_brush_is_as_wide_as_its_tip_and_a_dot_is_round() -> None:
    line = painted({"kind": "brush", "points": [[10, 15], [30, 15]], "width": 6})
    assert 5 <= line[:, 20].sum() <= 7
    dot = painted({"kind": "brush", "points": [[20.5, 15.5]], "width": 8})
    assert 40 <= dot.sum() <= 60
    assert dot[15, 20]


def test_an_eraser_takes_away_what_was_painted_before_it_only() -> None:
    box = {"kind": "box", "points": [[0, 0], [40, 30]]}
    erase = {"kind": "erase", "points": [[0, 15], [40, 15]], "width": 10}
    assert not painted(box, erase)[15].any()
    assert painted(box, erase)[2].all()
    assert painted(erase, box).all()
    assert not painted(erase).any()


def test_shapes_outside_mark_nothing_and_those_half_outside_their_half() -> None:
    assert not painted({"kind": "box", "points": [[100, 100], [120, 120]]}).any()
    assert painted({"kind": "box", "points": [[-50, -50], [2, 2]]}).sum() == 4
    assert painted({"kind": "brush", "points": [[-90000, 5], [90000, 5]], "width": 2})[5].any()


@pytest.mark.parametrize(
    "text",
    [
        "{", "[1]", '"x"', "null", '{"kind":"box"}', "[" * 50_000, "[]" + " " * 1_000_000,
        '[{"kind":"box","points":[[1,2]]}]',
        '[{"kind":"polygon","points":[[1,2],[3,4]]}]',
        '[{"kind":"star","points":[[1,2],[3,4]]}]',
        '[{"kind":"brush","points":[[1,2]]}]',
        '[{"kind":"brush","points":[],"width":3}]',
        '[{"kind":"brush","points":[[1,2]],"width":1e9}]',
        '[{"kind":"box","points":[[1,2],[1e300,4]]}]',
        '[{"kind":"box","points":[[1,2],[NaN,4]]}]',
        '[{"kind":"box","points":[[1,2],[3,4]],"more":1}]',
        json.dumps([{"kind": "box", "points": [[1, 2], [3, 4]]}] * (MAX_SHAPES + 1)),
        json.dumps([{"kind": "brush", "width": 2, "points": [[1, 2]] * (MAX_POINTS + 1)}]),
    ],
)  # fmt: skip
def test_what_no_page_of_ours_draws_is_refused(text: str) -> None:
    with pytest.raises(DrawingError):
        read_shapes(text)


def test_nothing_drawn_is_no_shape() -> None:
    assert read_shapes("") == read_shapes("[]") == read_shapes("  ") == ()


_NUMBER = st.floats(-1000, 1000, allow_nan=False)
_SHAPE = st.fixed_dictionaries({
    "kind": st.sampled_from(["polygon", "box", "brush", "erase"]),
    "points": st.lists(st.tuples(_NUMBER, _NUMBER), min_size=3, max_size=8),
    "width": st.floats(0.1, 300),
})  # fmt: skip


@settings(deadline=None)
@given(st.lists(_SHAPE, max_size=5))
def test_every_drawing_gives_a_mask_of_the_frames_size(shapes: list[dict[str, Any]]) -> None:
    mask = painted(*shapes)
    assert mask.shape == (30, 40)
    assert mask.dtype == np.bool_
