from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.registration import covered, warp

FRAME_WH, TARGET_WH = (50, 40), (46, 44)
IMAGE = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)


def shown(matrix, tolerance=1e-6):
    """Pixel by pixel: is the centre of the target pixel inside the frame's rectangle?"""
    x, y = np.meshgrid(np.arange(TARGET_WH[0]), np.arange(TARGET_WH[1]))
    back = np.linalg.inv(matrix)
    px, py, pw = np.tensordot(back / back[2, 2], np.stack([x, y, np.ones_like(x)]), 1)
    with np.errstate(divide="ignore", invalid="ignore"):  # the horizon may pass through a pixel
        u, v = px / pw, py / pw
    inside = (u > -0.5 - tolerance) & (u < FRAME_WH[0] - 0.5 + tolerance)
    return inside & (v > -0.5 - tolerance) & (v < FRAME_WH[1] - 0.5 + tolerance) & (pw > 0)


@given(
    a=st.floats(-1.5, 1.5), b=st.floats(-1.5, 1.5), c=st.floats(-1.5, 1.5), d=st.floats(-1.5, 1.5),
    tx=st.floats(-60, 60), ty=st.floats(-60, 60), px=st.floats(-4e-3, 4e-3), py=st.floats(-4e-3, 4e-3),
)  # fmt: skip
@settings(max_examples=200, deadline=None, derandomize=True)
def test_covered_is_what_a_pixel_by_pixel_test_says(a, b, c, d, tx, ty, px, py):
    matrix = np.array([[a, b, tx], [c, d, ty], [px, py, 1]])
    with np.errstate(all="ignore"):  # numbers next to nothing overflow in the test's own determinant
        back = np.linalg.inv(matrix) if abs(np.linalg.det(matrix)) > 0.05 else None
    if back is None or abs(back[2, 2]) < 0.05:
        return
    exact = covered(matrix, FRAME_WH, TARGET_WH)
    assert (shown(matrix, -1e-4) <= exact).all()
    assert (exact <= shown(matrix, 1e-4)).all()


def test_identity_changes_nothing():
    image, seen = warp(IMAGE, np.eye(3), FRAME_WH)
    assert np.array_equal(image, IMAGE)
    assert seen.all()


def test_outside_the_frame_is_filled_and_not_covered():
    fill = np.full_like(IMAGE, 77)
    image, seen = warp(IMAGE, np.array([[1, 0, 10], [0, 1, -7], [0, 0, 1.0]]), FRAME_WH, fill)
    assert (image[~seen] == 77).all()
    assert np.array_equal(image[:33, 10:], IMAGE[7:, :40])
    assert np.array_equal(seen, np.pad(np.ones((33, 40), bool), ((0, 7), (10, 0))))
    black, _ = warp(IMAGE, np.array([[1, 0, 10], [0, 1, -7], [0, 0, 1.0]]), FRAME_WH)
    assert (black[~seen] == 0).all()


def test_a_frame_that_shows_nothing_covers_nothing():
    image, seen = warp(IMAGE, np.array([[1, 0, 500], [0, 1, 0], [0, 0, 1.0]]), FRAME_WH, IMAGE)
    assert not seen.any()
    assert np.array_equal(image, IMAGE)


def test_grey_images_stay_grey():
    image, _ = warp(IMAGE[..., 0], np.eye(3), TARGET_WH)
    assert image.shape == (44, 46)


def test_the_frame_is_not_changed():
    before = IMAGE.copy()
    frame = IMAGE.copy()
    frame.flags.writeable = False
    warp(frame, np.array([[1, 0, 10], [0, 1, -7], [0, 0, 1.0]]), FRAME_WH, frame)
    assert np.array_equal(frame, before)


def test_a_fill_of_another_size_is_refused():
    with pytest.raises(ValueError, match="fill"):
        warp(IMAGE, np.eye(3), TARGET_WH, IMAGE)
