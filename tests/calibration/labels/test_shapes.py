import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.labels.shapes import (
    Ellipse,
    Point,
    Polygon,
    Polyline,
    Raster,
    bounds,
    pack,
    rasterise,
    rectangle,
)
from edge import masks
from edge.settings.judging import MaskPolygon

SIZE = (40, 30)


def _drawn(*regions, size_wh=SIZE):
    return rasterise(regions, size_wh)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 64), st.integers(0, 64)), min_size=3, max_size=12, unique=True))
def test_polygons_are_filled_as_the_masks_of_a_view_are(corners) -> None:
    # Sixty-fourths survive the way through 0..1 and back without rounding.
    unit = [(x / 64, y / 64) for x, y in corners]
    twice_area = sum(a * d - b * c for (a, b), (c, d) in zip(unit, unit[1:] + unit[:1], strict=True))
    if abs(twice_area) < 1e-9:
        return
    expected = masks.rasterise([MaskPolygon(name="x", points=tuple(unit))], (32, 64))
    points = np.array(unit) * (32, 64) - 0.5
    assert np.array_equal(_drawn(Polygon("x", points), size_wh=(32, 64)), expected)


def test_a_rectangle_marks_the_pixels_whose_centres_it_holds() -> None:
    drawn = _drawn(rectangle("x", 4.5, 5.5, 14.5, 9.5))
    expected = np.zeros((30, 40), np.bool_)
    expected[6:10, 5:15] = True
    assert np.array_equal(drawn, expected)


def test_a_repeated_first_point_changes_nothing() -> None:
    points = np.array([[3, 3], [30, 5], [12, 25]], np.float64)
    assert np.array_equal(_drawn(Polygon("x", points)), _drawn(Polygon("x", np.vstack((points, points[:1])))))


def test_a_polygon_that_crosses_itself_is_even_odd() -> None:
    twice = np.array([[5, 5], [25, 5], [25, 25], [5, 25]] * 2, np.float64)
    assert not _drawn(Polygon("x", twice)).any()


def test_many_crossings_are_worked_on_in_parts(monkeypatch) -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform(-5, 45, (200, 2))
    whole = _drawn(Polygon("x", points))
    monkeypatch.setattr("calibration.labels.shapes._AT_ONCE", 50)
    assert np.array_equal(_drawn(Polygon("x", points)), whole)


@pytest.mark.parametrize("theta", [0.0, 0.4, np.pi / 2, 3.0])
def test_an_ellipse_holds_the_centres_inside_it(theta: float) -> None:
    drawn = _drawn(Ellipse("x", (19.3, 14.2), (11.0, 4.0), theta))
    y, x = np.mgrid[0:30, 0:40].astype(np.float64)
    dx, dy = x - 19.3, y - 14.2
    along, across = dx * np.cos(theta) + dy * np.sin(theta), -dx * np.sin(theta) + dy * np.cos(theta)
    assert np.array_equal(drawn, (along / 11) ** 2 + (across / 4) ** 2 <= 1)


def test_theta_turns_clockwise_on_the_screen() -> None:
    drawn = _drawn(Ellipse("x", (20.0, 15.0), (12.0, 2.0), np.pi / 4))
    assert drawn[20, 25]
    assert not drawn[10, 25]


def test_a_circle_has_the_area_of_a_circle() -> None:
    drawn = rasterise((Ellipse("x", (150, 150), (100, 100)),), (301, 301))
    assert drawn.sum() == pytest.approx(np.pi * 100**2, rel=1e-3)


def test_a_point_marks_one_pixel_and_the_far_edge_belongs_to_the_last() -> None:
    assert np.argwhere(_drawn(Point("x", 6.5, 8.5))).tolist() == [[9, 7]]
    assert np.argwhere(_drawn(Point("x", 39.5, 29.5))).tolist() == [[29, 39]]
    assert np.argwhere(_drawn(Point("x", -0.5, -0.5))).tolist() == [[0, 0]]
    assert not _drawn(Point("x", 41.0, 3.0)).any()
    assert not _drawn(Point("x", -1.5, 3.0)).any()


def test_a_line_is_one_pixel_wide_and_open() -> None:
    drawn = _drawn(Polyline("x", np.array([[2.0, 3.0], [12.0, 3.0], [12.0, 9.0]])))
    expected = np.zeros((30, 40), np.bool_)
    expected[3, 2:13] = True
    expected[3:10, 12] = True
    assert np.array_equal(drawn, expected)


def test_a_line_is_cut_at_the_frame_however_far_it_goes() -> None:
    drawn = _drawn(Polyline("x", np.array([[-1e6, 15.0], [1e6, 15.0]])))
    assert drawn[15].all()
    assert drawn.sum() == 40
    assert not _drawn(Polyline("x", np.array([[50.0, -10.0], [50.0, 90.0]]))).any()


def test_a_line_of_one_point_is_a_pixel() -> None:
    assert np.argwhere(_drawn(Polyline("x", np.array([[4.0, 5.0]])))).tolist() == [[5, 4]]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 20), st.integers(-25, 45), st.integers(-25, 45))
def test_packed_pixels_come_back_where_they_were(seed, width, height, left, top) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < 0.3
    expected = np.zeros((130, 130), np.bool_)
    expected[50 + top : 50 + top + height, 50 + left : 50 + left + width] = mask
    assert np.array_equal(_drawn(pack("x", mask, left, top)), expected[50:80, 50:90])


def test_an_empty_mask_packs_to_nothing() -> None:
    region = pack("x", np.zeros((9, 9), np.bool_))
    assert isinstance(region, Raster)
    assert region.size_wh == (0, 0)
    assert not _drawn(region).any()


def test_a_packed_mask_is_small() -> None:
    mask = np.zeros((2048, 2448), np.bool_)
    mask[500:900, 700:1300] = True
    assert len(pack("x", mask).packed) < 1000


def test_regions_join_and_what_lies_outside_is_cut_off() -> None:
    drawn = _drawn(rectangle("x", -10, -10, 2.5, 2.5), rectangle("y", 36.5, 27.5, 90, 90))
    assert drawn[:3, :3].all()
    assert drawn[28:, 37:].all()
    assert drawn.sum() == 9 + 6


def test_rasters_and_points_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        _drawn()[0, 0] = True
    with pytest.raises(ValueError, match="read-only"):
        rectangle("x", 0, 0, 1, 1).points[0] = 3


def test_bounds_of_a_turned_ellipse() -> None:
    left, top, right, bottom = bounds(Ellipse("x", (10.0, 20.0), (8.0, 2.0), np.pi / 2))
    assert (left, top, right, bottom) == pytest.approx((8.0, 12.0, 12.0, 28.0))


def test_an_edge_of_no_height_to_speak_of_is_no_trouble() -> None:
    points = np.array([[5.0, -1e-310], [30.0, 1e-310], [20.0, 9.0]])
    drawn = _drawn(Polygon("x", points))
    assert drawn[4, 15:20].any()
    assert drawn.sum() < 200
