import numpy as np
import pytest

from calibration.labels import Ellipse, Labelled, Point, Polygon, Polyline, move
from calibration.labels.moving import apply
from calibration.labels.shapes import pack, rectangle

SIZE = (200, 160)
TILT = np.array([[0.97, -0.12, 21.0], [0.1, 1.04, -9.0], [2e-4, -3e-4, 1.0]])


def _item(*regions) -> Labelled:
    return Labelled("a.png", "bad", "chip", regions, SIZE)  # type: ignore[arg-type]


def _fetched(item: Labelled, matrix, size_wh) -> np.ndarray:
    """The slow way: for each pixel of the target, is its place in the source inside the region?"""
    region = item.regions[0]
    y, x = np.mgrid[0 : size_wh[1], 0 : size_wh[0]].astype(np.float64)
    seen = np.linalg.inv(matrix) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    x, y = (seen[:2] / seen[2]).reshape(2, *x.shape)
    if isinstance(region, Ellipse):
        dx, dy, cos, sin = x - region.centre[0], y - region.centre[1], np.cos(region.theta_rad), np.sin(region.theta_rad)
        return ((dx * cos + dy * sin) / region.radii[0]) ** 2 + ((dy * cos - dx * sin) / region.radii[1]) ** 2 <= 1
    inside = np.zeros(x.shape, np.bool_)
    points = region.points
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


@pytest.mark.parametrize("size_wh", [SIZE, (97, 251)])
@pytest.mark.parametrize(
    "region",
    [
        Polygon("chip", np.array([[40.2, 30.1], [150.7, 44.0], [90.3, 140.9], [95.0, 80.0]])),
        Ellipse("chip", (100.3, 80.2), (60.0, 25.0), 0.7),
        Ellipse("chip", (60.0, 50.0), (20.0, 20.0)),
    ],
)
def test_outlines_move_exactly(region, size_wh) -> None:
    item = _item(region)
    assert np.array_equal(move(item, TILT, size_wh).item.truth, _fetched(item, TILT, size_wh))


def test_outlines_come_back_exactly() -> None:
    item = _item(Ellipse("chip", (100.3, 80.2), (60.0, 25.0), 0.7), rectangle("x", 20.2, 20.7, 60.1, 50.9))
    there = move(item, TILT, (400, 400)).item
    back = move(there, np.linalg.inv(TILT), SIZE).item
    assert np.array_equal(back.truth, item.truth)
    assert back.regions[0].radii == pytest.approx((25.0, 60.0))
    assert np.allclose(back.regions[1].points, item.regions[1].points)


def test_pixels_are_fetched_from_the_nearest() -> None:
    mask = np.random.default_rng(1).random((160, 200)) < 0.5
    moved = move(_item(pack("chip", mask)), TILT, SIZE).item.truth
    y, x = np.mgrid[0:160, 0:200]
    seen = np.linalg.inv(TILT) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    column, row = np.floor(seen[:2] / seen[2] + 0.5).astype(int)
    inside = (column >= 0) & (column < 200) & (row >= 0) & (row < 160)
    expected = np.zeros(x.size, np.bool_)
    expected[inside] = mask[row[inside], column[inside]]
    assert np.array_equal(moved, expected.reshape(160, 200))


def test_whole_pixels_move_without_loss() -> None:
    mask = np.zeros((160, 200), np.bool_)
    mask[30:50, 60:90] = True
    shift = np.array([[1.0, 0, 13], [0, 1, -7], [0, 0, 1]])
    moved = move(_item(pack("chip", mask)), shift, SIZE)
    assert np.array_equal(moved.item.truth, np.roll(mask, (-7, 13), (0, 1)))
    assert not moved.lost


def test_points_and_lines_move() -> None:
    shift = np.array([[1.0, 0, 10], [0, 1, 20], [0, 0, 1]])
    moved = move(_item(Point("p", 5.0, 6.0), Polyline("l", np.array([[50.0, 60.0], [54.0, 60.0]]))), shift, SIZE).item
    assert np.argwhere(moved.truth).tolist() == [[26, 15], *([80, x] for x in range(60, 65))]


def test_what_leaves_the_frame_is_said() -> None:
    shift = np.array([[1.0, 0, -50], [0, 1, 0], [0, 0, 1]])
    inside, half, gone = (rectangle(name, x - 0.5, 39.5, x + 19.5, 59.5) for name, x in (("in", 90), ("half", 40), ("gone", 5)))
    moved = move(_item(inside, half, gone), shift, SIZE)
    assert len(moved.lost) == 2
    assert "'half' at x 50, y 50: 50 % of it leaves the frame" in moved.lost[0]
    assert "'gone' at x 14, y 50: 100 % of it leaves the frame" in moved.lost[1]
    assert moved.item.label == "bad"


def test_what_becomes_too_small_is_said() -> None:
    shrink = np.diag([0.05, 0.05, 1.0])
    moved = move(_item(rectangle("dot", 105.0, 105.0, 111.0, 111.0)), shrink, SIZE)
    assert moved.lost == ("region 'dot' at x 108, y 108: too small to mark a pixel of the frame",)


def test_good_images_and_unknown_pixels_move_too() -> None:
    good = Labelled("a.png", "good", "good", (), SIZE)  # type: ignore[arg-type]
    assert not move(good, TILT, (30, 20)).item.truth.any()
    unknown = Labelled("a.png", "bad", "chip", (), SIZE, pixels_known=False)  # type: ignore[arg-type]
    assert move(unknown, TILT, (30, 20)).item.truth is None


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((3, 3)),
        np.full((3, 3), np.nan),
        np.diag([1.0, 0.0, 1.0]),
        np.array([[1.0, 0, 0], [0, 1, 0], [-0.01, 0, 1]]),
    ],
    ids=["zero", "nan", "flat", "horizon"],
)
def test_homographies_that_cannot_move_a_frame(matrix) -> None:
    with pytest.raises(ValueError, match=r"infinity|inverted"):
        move(_item(rectangle("x", 3, 3, 9, 9)), matrix, SIZE)


def test_a_sign_does_not_matter() -> None:
    points = np.array([[3.0, 4.0], [50.0, 60.0]])
    assert np.allclose(apply(-TILT, points), apply(TILT, points))
    item = _item(Ellipse("chip", (100.3, 80.2), (60.0, 25.0), 0.7))
    assert np.array_equal(move(item, -TILT, SIZE).item.truth, move(item, TILT, SIZE).item.truth)
