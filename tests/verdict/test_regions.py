import numpy as np
import pytest

from edge.regions import MAX_REGIONS, Geometry, find_regions, region_at
from edge.types import Box

ALL = np.ones((40, 60), bool)


def spots(*cells, shape=(40, 60)):
    scores = np.zeros(shape, np.float32)
    for y, x, value in cells:
        scores[y, x] = value
    return scores


def test_box_area_centroid_and_peak_on_the_references_own_grid():
    scores = np.zeros((40, 60), np.float32)
    scores[10:14, 20:30] = 2.0
    scores[11, 25] = 5.0
    (region,) = find_regions(scores, ALL, 1.0, 0, Geometry(np.eye(3), np.eye(3), (60, 40)))
    assert region.box == Box(20, 10, 10, 4)
    assert region.frame_box == region.box
    assert region.centroid == (24.5, 11.5)
    assert (region.area_px, region.peak) == (40.0, 5.0)


def test_reference_and_frame_pixels_differ_by_the_alignment():
    scores = np.zeros((40, 60), np.float32)
    scores[10:14, 20:30] = 2.0
    to_reference = np.array([[4.0, 0, 1.5], [0, 4.0, 1.5], [0, 0, 1]])
    nudge = np.array([[1.0, 0, -7.0], [0, 1, 3.0], [0, 0, 1]])
    (region,) = find_regions(scores, ALL, 1.0, 0, Geometry(to_reference, nudge, (240, 160)))
    assert region.box == Box(80, 40, 40, 16)
    assert region.area_px == pytest.approx(640.0)
    assert region.centroid == (4 * 24.5 + 1.5, 4 * 11.5 + 1.5)
    assert region.frame_box == Box(87, 37, 40, 16)
    assert region.frame_centroid == (region.centroid[0] + 7, region.centroid[1] - 3)


def test_area_under_perspective_is_that_of_the_transformed_outline():
    matrix = np.array([[3.0, 0.2, 5.0], [0.1, 2.5, 2.0], [2e-3, -1e-3, 1.0]])
    scores = np.zeros((40, 60), np.float32)
    scores[20:25, 30:36] = 1
    (region,) = find_regions(scores, ALL, 0.5, 0, Geometry(matrix, np.eye(3), (999, 999)))
    corners = np.array([(29.5, 19.5, 1), (35.5, 19.5, 1), (35.5, 24.5, 1), (29.5, 24.5, 1)]) @ matrix.T
    x, y = (corners[:, :2] / corners[:, 2:]).T
    shoelace = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert region.area_px == pytest.approx(shoelace, rel=0.01)


def test_diagonal_neighbours_are_one_region_and_masked_pixels_part_regions():
    scores = spots((5, 5, 2.0), (6, 6, 3.0), (7, 7, 2.0))
    geometry = Geometry(np.eye(3), np.eye(3), (60, 40))
    assert len(find_regions(scores, ALL, 1.0, 0, geometry)) == 1
    judged = ALL.copy()
    judged[6, 6] = False
    assert [region.peak for region in find_regions(scores, judged, 1.0, 0, geometry)] == [2.0, 2.0]


def test_small_regions_are_left_out_and_the_highest_come_first():
    scores = spots((2, 2, 9.0), (10, 10, 3.0), (10, 11, 4.0), (20, 20, 6.0), (20, 21, 5.0))
    found = find_regions(scores, ALL, 1.0, 2, Geometry(np.eye(3), np.eye(3), (60, 40)))
    assert [region.peak for region in found] == [6.0, 4.0]


def test_there_are_never_more_than_the_limit_and_the_highest_are_kept():
    scores = np.zeros((40, 60), np.float32)
    scores[::2, ::2] = np.random.default_rng(0).permutation(600).reshape(20, 30) + 1
    found = find_regions(scores, ALL, 0.5, 0, Geometry(np.eye(3), np.eye(3), (60, 40)))
    assert len(found) == MAX_REGIONS
    assert [region.peak for region in found] == list(np.arange(600, 500, -1.0))


def test_nothing_above_nothing_found_and_at_the_threshold_is_not_above():
    geometry = Geometry(np.eye(3), np.eye(3), (60, 40))
    assert find_regions(spots((3, 3, 1.0)), ALL, 1.0, 0, geometry) == ()


def test_the_frame_box_is_clipped_to_the_frame():
    nudge = np.array([[1.0, 0, 30.0], [0, 1, 0.0], [0, 0, 1]])
    scores = np.zeros((40, 60), np.float32)
    scores[5:8, 20:40] = 1
    (region,) = find_regions(scores, ALL, 0.5, 0, Geometry(np.eye(3), nudge, (60, 40)))
    assert region.frame_box == Box(0, 5, 10, 3)


def test_region_at_a_peak_whatever_its_size():
    scores = spots((5, 5, 2.0), (5, 6, 1.5), (30, 30, 1.9))
    region = region_at(scores, ALL, 1.2, (5, 5), Geometry(np.eye(3), np.eye(3), (60, 40)))
    assert (region.area_px, region.peak, region.box) == (2.0, 2.0, Box(5, 5, 2, 1))
