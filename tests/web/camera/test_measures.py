"""What is measured of a picture, and what is said of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.web.reference.aligning import arrows, motion_of
from calibration.web.reference.measures import Light, Rect, advice_of, focus_of, light_of, read
from calibration.web.reference.pictures import arrow_factor, jpeg, laid
from edge.types import ImageU8
from tests.station_parts import scene

SCENE = scene()
ALL = np.ones(SCENE.shape[:2], np.bool_)


def shifted(x: float, y: float, degrees: float = 0.0) -> np.ndarray:
    """Picture to reference of a picture that shows everything so far to the right, down and clockwise."""
    height, width = SCENE.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    matrix = np.vstack([turn, [0, 0, 1]])
    matrix[:2, 2] += (x, y)
    return np.asarray(np.linalg.inv(matrix), np.float64)


def blurred(image: ImageU8, sigma: float) -> ImageU8:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def test_sharpness_falls_with_every_blur() -> None:
    values = [read(blurred(SCENE, sigma), SCENE, Rect()).sharpness for sigma in (0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.3
    assert read(SCENE, SCENE, Rect()).sharpness == pytest.approx(1)


@pytest.mark.parametrize("light", [0.6, 0.8, 1.1])
def test_a_dim_lamp_is_no_soft_lens(light: float) -> None:
    dim = np.clip(SCENE * light, 0, 255).astype(np.uint8)
    assert read(dim, SCENE, Rect()).sharpness == pytest.approx(1, abs=0.1)


@settings(deadline=None)
@given(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.02, 1), st.floats(0.02, 1))
def test_a_rectangle_is_cut_as_it_is_or_refused(x: float, y: float, width: float, height: float) -> None:
    if x + width > 1 + 1e-9 or y + height > 1 + 1e-9:
        with pytest.raises(ValueError, match="reaches over"):
            Rect(x, y, width, height)
        return
    part = Rect(x, y, width, height).cut(SCENE)
    assert part.shape[0] >= 8
    assert part.shape[1] >= 8
    assert focus_of(part).laplacian >= 0


@pytest.mark.parametrize("values", [(0, 0, 0, 1), (-0.1, 0, 0.5, 0.5), (0, 0, float("nan"), 1), (0, 0, 1, 0.01)])
def test_a_rectangle_that_is_none_is_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="too small or lies outside"):
        Rect(*values)


def test_the_rectangle_follows_a_camera_that_was_moved() -> None:
    there = Rect(0.4, 0.4, 0.2, 0.2).on_frame(shifted(24, -18), (240, 180), (240, 180))
    assert (there.x, there.y) == pytest.approx((0.5, 0.3), abs=0.01)
    edge = Rect(0.8, 0.8, 0.2, 0.2).on_frame(shifted(100, 100), (240, 180), (240, 180))
    assert edge.x + edge.width <= 1 + 1e-9


def test_light_is_counted_by_grey_level() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[:20] = 255
    light = light_of(image)
    assert (light.saturated, light.black) == (0.5, 0.5)
    assert light.histogram[0] == light.histogram[-1] == 0.5
    assert sum(light.histogram) == pytest.approx(1)
    assert light_of(image[..., 0]).saturated == 0.5


@pytest.mark.parametrize(
    ("median", "saturated", "black", "advice"),
    [
        (100, 0, 0, "good"),
        (100, 0.2, 0, "saturated"),
        (100, 0, 0.3, "black"),
        (70, 0, 0, "darker"),
        (130, 0, 0, "brighter"),
        (130, 0.2, 0.3, "saturated"),
    ],
)
def test_what_to_do_about_the_light(median: float, saturated: float, black: float, advice: str) -> None:
    assert advice_of(Light((), saturated, black, median), Light((), 0.001, 0.01, 100)) == advice


@settings(max_examples=20, deadline=None)
@given(st.floats(-15, 15), st.floats(-15, 15), st.floats(-4, 4))
def test_motion_is_told_with_its_signs(x: float, y: float, degrees: float) -> None:
    (right, down), turn = motion_of(shifted(x, y, degrees), (240, 180))
    assert (right, down, turn) == pytest.approx((x, y, degrees), abs=1e-6)


def test_arrows_point_where_the_picture_shows_it() -> None:
    still = arrows(SCENE, np.eye(3), SCENE, ALL)
    assert len(still) > 10
    assert max(np.hypot(arrow.dx, arrow.dy) for arrow in still) < 0.05
    moved = cv2.warpAffine(SCENE, np.array([[1.0, 0, 2], [0, 1, -1]]), (240, 180))
    off = arrows(np.asarray(moved, np.uint8), np.eye(3), SCENE, ALL)
    assert np.median([arrow.dx for arrow in off]) == pytest.approx(2, abs=0.1)
    assert np.median([arrow.dy for arrow in off]) == pytest.approx(-1, abs=0.1)
    assert arrows(np.full_like(SCENE, 90), np.eye(3), np.full_like(SCENE, 90), ALL) == ()
    assert arrow_factor(still, 240) > arrow_factor(off, 240) >= 1


def test_pictures_are_as_small_as_asked_and_lie_on_the_reference() -> None:
    small = cv2.imdecode(np.frombuffer(jpeg(SCENE, 120), np.uint8), cv2.IMREAD_COLOR)
    assert small.shape == (90, 120, 3)
    assert cv2.imdecode(np.frombuffer(jpeg(SCENE[..., 0], 4000), np.uint8), cv2.IMREAD_GRAYSCALE).shape == (180, 240)
    assert laid(SCENE, None, SCENE) is SCENE
    assert (laid(SCENE, np.eye(3), SCENE) == SCENE).all()
