import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError
from edge.masks import judged_area, rasterise, visible_area
from edge.schema import load_yaml
from edge.settings.judging import MaskPolygon, MasksFile

IDENTITY = np.eye(3)


def polygon(*points: tuple[float, float], name: str = "m", enabled: bool = True) -> MaskPolygon:
    return MaskPolygon(name=name, points=points, enabled=enabled)


def rectangle(x0: float, y0: float, x1: float, y1: float, **keywords) -> MaskPolygon:
    return polygon((x0, y0), (x1, y0), (x1, y1), (x0, y1), **keywords)


def test_a_rectangle_masks_exactly_the_pixels_whose_centres_it_holds():
    masked = rasterise([rectangle(0.2, 0.5, 0.6, 1.0)], (10, 4))
    expected = np.zeros((4, 10), bool)
    expected[2:4, 2:6] = True
    assert np.array_equal(masked, expected)


def test_the_whole_reference_and_nothing():
    assert rasterise([rectangle(0, 0, 1, 1)], (7, 5)).all()
    assert not rasterise([], (7, 5)).any()
    assert not rasterise([rectangle(0, 0, 1, 1, enabled=False)], (7, 5)).any()


def test_neighbouring_polygons_leave_no_gap_and_do_not_overlap():
    left, right = polygon((0, 0), (0.37, 0), (0.61, 1), (0, 1)), polygon((0.37, 0), (1, 0), (1, 1), (0.61, 1))
    a, b = rasterise([left], (101, 67)), rasterise([right], (101, 67))
    assert (a ^ b).all()
    assert np.array_equal(rasterise([left, right], (101, 67)), a | b)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=9),
    st.integers(3, 40),
    st.integers(3, 40),
)
def test_every_pixel_agrees_with_the_even_odd_rule_at_its_centre(points, width, height):
    try:
        shape = polygon(*points)
    except ValueError:
        return
    masked = rasterise([shape], (width, height))
    corners = np.array(points) * (width, height) - 0.5
    for y, x in itertools.product(range(height), range(width)):
        crossings = 0
        near = False
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if (y0 <= y) != (y1 <= y):
                at = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                near |= abs(at - x) < 1e-6
                crossings += at <= x
            near |= abs(y0 - y) < 1e-6
        assert near or masked[y, x] == (crossings % 2 == 1)


def test_through_a_homography_the_area_is_that_of_the_polygon():
    matrix = np.array([[0.2, 0.03, 1.5], [-0.02, 0.21, 3.0], [1e-5, -2e-5, 1.0]])
    shape = polygon((0.1, 0.15), (0.7, 0.2), (0.8, 0.9), (0.25, 0.7))
    masked = rasterise([shape], (1000, 800), (220, 190), matrix)
    corners = np.array(shape.points, np.float64) * (1000, 800) - 0.5
    moved = cv2.perspectiveTransform(corners[None], matrix)[0]
    assert np.count_nonzero(masked) == pytest.approx(cv2.contourArea(moved.astype(np.float32)), rel=0.003)
    ys, xs = np.nonzero(masked)
    assert all(
        cv2.pointPolygonTest(moved.astype(np.float32), (float(x), float(y)), True) > -0.01 for x, y in zip(xs, ys, strict=True)
    )


def test_a_homography_that_sends_the_area_to_infinity_is_refused():
    with pytest.raises(ValueError, match="infinity"):
        rasterise([rectangle(0, 0, 1, 1)], (100, 100), (100, 100), np.array([[1.0, 0, 0], [0, 1, 0], [-0.02, 0, 1]]))


def test_judged_area_is_the_map_without_masks_and_without_what_lies_outside_the_reference():
    scale = np.array([[4.0, 0, 1.5], [0, 4.0, 1.5], [0, 0, 1]])
    assert judged_area([], (40, 20), (10, 5), scale).all()
    judged = judged_area([rectangle(0, 0, 0.5, 1)], (40, 20), (12, 5), scale)
    assert np.array_equal(judged[0], [False] * 5 + [True] * 5 + [False] * 2)
    with pytest.raises(ValueError, match="inverted"):
        judged_area([], (40, 20), (10, 5), np.zeros((3, 3)))


def test_identity_sees_all_and_a_shift_sees_only_whole_pixels():
    assert visible_area((30, 20), IDENTITY, (30, 20)).all()
    shifted = np.array([[1, 0, 2.5], [0, 1, -1.0], [0, 0, 1.0]])
    visible = visible_area((30, 20), shifted, (30, 20))
    assert not visible[:, :3].any()
    assert visible[:19, 3:].all()
    assert not visible[19].any()


@settings(max_examples=80, deadline=None)
@given(
    st.floats(-0.2, 0.2),
    st.tuples(st.floats(-15, 15), st.floats(-15, 15)),
    st.floats(0.8, 1.3),
    st.floats(-1e-3, 1e-3),
    st.booleans(),
)
def test_visible_pixels_lie_wholly_in_the_frame(angle, shift, scale, perspective, upside_down):
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[c, -s, shift[0]], [s, c, shift[1]], [perspective, 0, 1.0]])
    if upside_down:
        matrix = np.array([[-1, 0, 39.0], [0, -1, 29.0], [0, 0, 1]]) @ matrix
    visible = visible_area((40, 30), matrix, (44, 33))
    inverse = np.linalg.inv(matrix)
    for y, x in itertools.product(range(0, 33, 2), range(0, 44, 2)):
        corners = np.array([[x + dx, y + dy, 1.0] for dx in (-0.5, 0.5) for dy in (-0.5, 0.5)]) @ inverse.T
        back = corners[:, :2] / corners[:, 2:]
        slack = np.minimum(back + 0.5, np.array([39.5, 29.5]) - back).min()
        if corners[:, 2].min() <= 0:
            slack = -1.0
        assert visible[y, x] == (slack > 0) or abs(slack) < 0.05


def test_a_degenerate_alignment_sees_nothing():
    assert not visible_area((30, 20), np.full((3, 3), np.nan), (30, 20)).any()
    assert not visible_area((30, 20), np.zeros((3, 3)), (30, 20)).any()


def test_every_broken_polygon_of_a_file_is_reported(tmp_path: Path):
    path = tmp_path / "masks.yaml"
    path.write_text(
        "schema: 1\nmasks:\n"
        "  - {name: a, points: [[0, 0], [1, 0]]}\n"
        "  - {name: b, points: [[0, 0], [1, 0], [0.5, 0]]}\n"
        "  - {name: c, points: [[0, 0], [2, 0], [0.5, 1]]}\n"
        "  - {name: d, points: [[0, 0], [1, 0], [0.5, 1]], enable: no}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_yaml(MasksFile, path)
    assert len(caught.value.problems) == 4
    assert [f"masks.{index}" in line for index, line in enumerate(caught.value.problems)] == [True] * 4


def test_two_masks_of_one_name_are_refused(tmp_path: Path):
    path = tmp_path / "masks.yaml"
    path.write_text("schema: 1\nmasks:\n" + "  - {name: a, points: [[0, 0], [1, 0], [0.5, 1]]}\n" * 2)
    with pytest.raises(ConfigError, match="names must differ"):
        load_yaml(MasksFile, path)
