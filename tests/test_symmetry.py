"""The axis, the fold, the angle and the median of a part that looks the same when it is turned."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.cameras.images import read_image
from edge.errors import RecipeError
from edge.settings.symmetry import SymmetrySettings
from edge.symmetry import (
    Ring,
    SymmetricPart,
    angle_between,
    blob,
    find_centre,
    folds,
    pixel_median,
    rotational_median,
    spectrum,
    symmetry,
    turn,
)
from tests.gears import BACKGROUND, METAL, RING, gear

SIZE_WH, CENTRE, RADIUS = (260, 220), (131.3, 108.6), 84.0
GEARS = Path(__file__).resolve().parents[2] / "shared" / "data" / "gear" / "roboflow_original" / "train"


def drawn(teeth: int, **changes: object):
    return gear(teeth, CENTRE, RADIUS, SIZE_WH, **changes)  # type: ignore[arg-type]


def ring_at(x: float = CENTRE[0], y: float = CENTRE[1]) -> Ring:
    return Ring((x, y), RADIUS * 1.03, RADIUS * RING)


def settings_of(teeth: int, **changes: object) -> SymmetrySettings:
    centre = ((CENTRE[0] + 0.5) / SIZE_WH[0], (CENTRE[1] + 0.5) / SIZE_WH[1])
    fields = {"fold": teeth, "centre": centre, "radius": 1.03 * RADIUS / 260, "inner_radius": RING * RADIUS / 260}
    return SymmetrySettings.model_validate({**fields, **changes})


@pytest.mark.parametrize("teeth", [2, 3, 7, 12, 36])
@pytest.mark.parametrize("off", [(0.0, 0.0), (4.0, -3.0), (-11.0, 9.0)])
def test_the_axis_is_found_to_a_seventh_of_a_pixel(teeth: int, off: tuple[float, float]) -> None:
    found = find_centre(drawn(teeth, turned=0.1), ring_at(CENTRE[0] + off[0], CENTRE[1] + off[1]), teeth)
    assert found.centre == pytest.approx(CENTRE, abs=0.14)
    assert found.spread_px < 0.2


@pytest.mark.parametrize("teeth", [7, 12, 36])
def test_a_broken_tooth_does_not_draw_the_axis(teeth: int) -> None:
    found = find_centre(drawn(teeth, broken=(0, 1)), ring_at(CENTRE[0] + 5, CENTRE[1] - 4), teeth)
    assert found.centre == pytest.approx(CENTRE, abs=0.3)


@pytest.mark.parametrize("teeth", [7, 12, 16, 36])
def test_what_repeats_is_told_from_what_does_not(teeth: int) -> None:
    found = folds(spectrum(drawn(teeth, broken=(2,)), ring_at()), 80)
    assert np.isnan(found[:2]).all()
    assert found[teeth] > 0.75
    assert all(found[other] < 0.3 for other in range(2, 81) if teeth % other)


def test_an_even_picture_has_no_symmetry() -> None:
    assert symmetry(spectrum(np.full((200, 200), 90, np.uint8), Ring((100, 100), 80)), 5) == 0
    noise = np.random.default_rng(0).integers(0, 255, (220, 260), np.uint8)
    assert np.nanmax(folds(spectrum(noise, ring_at()), 60)) < 0.2


@pytest.mark.parametrize("teeth", [3, 7, 12, 36])
@pytest.mark.parametrize("share", [-0.45, -0.1, 0.0, 0.02, 0.3])
def test_the_turn_is_known_up_to_one_tooth(teeth: int, share: float) -> None:
    angle = share * 2 * np.pi / teeth
    ideal = spectrum(drawn(teeth), ring_at())
    found, alike = angle_between(spectrum(drawn(teeth, turned=angle, broken=(1,), seed=3), ring_at()), ideal, teeth)
    assert found == pytest.approx(angle, abs=np.radians(0.05))
    assert alike > 0.97


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_the_median_is_numpys(count: int, seed: int) -> None:
    images = list(np.random.default_rng(seed).integers(0, 256, (count, 5, 4, 3), np.uint8))
    expected = np.floor(np.median(np.stack(images), axis=0) + 0.5)
    assert np.array_equal(pixel_median(images), expected)


def test_the_median_of_hundreds_of_images_does_not_overflow() -> None:
    images = [np.full((2, 2), value % 256, np.uint8) for value in range(301)]
    assert np.array_equal(
        pixel_median(images), np.full((2, 2), int(np.median([value % 256 for value in range(301)])), np.uint8)
    )


def test_a_turn_is_positive_from_x_to_y() -> None:
    moved = turn((10, 20), np.pi / 2) @ (13, 20, 1)
    assert moved == pytest.approx((10, 23, 1))


@pytest.mark.parametrize("teeth", [7, 12, 36])
def test_the_median_mends_a_broken_tooth(teeth: int) -> None:
    whole, spoilt = drawn(teeth, noise=0), drawn(teeth, broken=(0, 3), seed=4)
    ideal = rotational_median(spoilt, CENTRE, RADIUS + 4, teeth)
    off = np.abs(ideal.astype(int) - whole)
    assert np.abs(spoilt.astype(int) - whole).max() > 100
    # Of 145 between metal and background; corners are rounded by being turned.
    assert np.mean(off > 45) < 0.006
    assert np.mean(off[np.abs(spoilt.astype(int) - whole) > 100] > 45) < 0.1
    assert symmetry(spectrum(ideal, ring_at()), teeth) > 0.99


def test_where_most_teeth_are_broken_the_median_is_broken() -> None:
    spoilt = drawn(12, broken=tuple(range(8)), noise=0)
    ideal = rotational_median(spoilt, CENTRE, RADIUS + 4, 12)
    row = round(CENTRE[1])
    tip = int(CENTRE[0] + 0.95 * RADIUS)
    assert drawn(12, noise=0)[row, tip] == METAL
    assert ideal[row, tip] == BACKGROUND


def test_outside_the_disc_nothing_is_touched_and_colour_stays() -> None:
    image = np.random.default_rng(1).integers(0, 255, (60, 80, 3), np.uint8)
    other = 255 - image
    result = rotational_median(image, (40, 30), 20, 5, other)
    away = np.hypot(*(np.indices((60, 80)) - np.array([30, 40])[:, None, None]))
    assert np.array_equal(result[away > 20], other[away > 20])
    assert not np.array_equal(result[away < 15], other[away < 15])
    assert np.array_equal(rotational_median(image, (-50, -50), 20, 5, other), other)


def test_on_a_stretched_grid_turns_are_still_turns() -> None:
    image = drawn(9, broken=(0,), noise=0)
    small = cv2.resize(image, (130, 220), interpolation=cv2.INTER_AREA)
    to_small = np.array([[0.5, 0, -0.25], [0, 1, 0], [0, 0, 1]])
    ideal = rotational_median(small, CENTRE, RADIUS + 3, 9, part_to_image=to_small)
    expected = cv2.resize(drawn(9, noise=0), (130, 220), interpolation=cv2.INTER_AREA)
    assert np.abs(ideal.astype(int) - expected).mean() < 2


def test_a_blob_is_the_largest_that_stands_free() -> None:
    image = drawn(12)
    image[:, :6] = 0  # a strip at the edge is background, however large
    image[4:10, 200:206] = 0
    found = blob(image, "dark", Ring((130, 110), 130), 100)
    assert found is not None
    assert found.centre == pytest.approx(CENTRE, abs=1)
    assert found.outer_px == pytest.approx(RADIUS, abs=2)
    assert blob(255 - image, "bright", Ring((130, 110), 130), 100) is not None
    assert blob(image, "dark", Ring((130, 110), 130), 1e6) is None
    assert blob(np.full((100, 100), 9, np.uint8), "dark", Ring((50, 50), 40), 10) is None
    assert blob(image, "dark", Ring((-500, -500), 5), 1) is None


def test_a_free_part_is_posed_on_the_ideal() -> None:
    part = SymmetricPart(drawn(12), settings_of(12, pose="free", search=0.1))
    frame = gear(12, (CENTRE[0] + 9, CENTRE[1] - 6), RADIUS, SIZE_WH, turned=0.2, broken=(4,), seed=5)
    pose = part.pose(frame)
    assert pose.trusted, [str(gate) for gate in pose.gates]
    posed = cv2.warpPerspective(frame, pose.frame_to_reference, SIZE_WH, borderValue=BACKGROUND)
    whole = drawn(12, noise=0)
    away = np.hypot(*(np.indices(whole.shape) - np.array(CENTRE[::-1])[:, None, None]))
    assert np.mean(np.abs(posed.astype(int) - whole)[away < RADIUS] > 40) < 0.03
    assert np.mean(np.abs(frame.astype(int) - whole)[away < RADIUS] > 40) > 0.1


@pytest.mark.parametrize("locate", ["place", "dark"])
@pytest.mark.parametrize("level", [0, 90, 255])
def test_an_empty_frame_has_no_part(locate: str, level: int) -> None:
    part = SymmetricPart(drawn(12), settings_of(12, pose="free", locate=locate))
    pose = part.pose(np.full(SIZE_WH[::-1], level, np.uint8))
    assert not pose.trusted
    assert np.isfinite(pose.frame_to_reference).all()
    assert all(np.isfinite(gate.value) for gate in pose.gates)


def test_another_part_and_one_too_far_away_are_refused_by_name() -> None:
    part = SymmetricPart(drawn(12), settings_of(12, pose="free", locate="dark", search=0.02))
    other = {gate.name for gate in part.pose(drawn(7)).gates if not gate.passed}
    assert {"symmetry", "likeness"} & other
    # Inside what is searched for a blob, and further off than a free part may be.
    wide = SymmetricPart(drawn(12), settings_of(12, pose="free", search=0.02))
    far = gear(12, (CENTRE[0] + 12, CENTRE[1]), RADIUS, SIZE_WH)
    assert "centre_px" in {gate.name for gate in wide.pose(far).gates if not gate.passed}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fold": 11}, "no 11-fold part"),
        ({"centre": (0.45, 0.49)}, "axis"),
        ({"radius": 0.6}, "not whole"),
    ],
)
def test_an_ideal_that_is_none_is_a_recipe_error(changes: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        SymmetricPart(drawn(12), settings_of(12, **changes))


def test_settings_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValueError, match="inner_radius must be smaller"):
        settings_of(12, inner_radius=0.9)
    with pytest.raises(ValueError, match="pose: free"):
        settings_of(12, locate="dark")


@pytest.mark.skipif(not GEARS.is_dir(), reason="shared/data/gear is not there")
def test_real_gears_have_sixteen_teeth() -> None:
    for path in sorted(GEARS.glob("*.jpg")):
        image = read_image(path)
        found = blob(image, "dark", Ring((1223, 1023), 920), 10_000)
        assert found is not None
        axis = find_centre(image, Ring(found.centre, found.outer_px, 230), 16)
        measured = folds(spectrum(image, Ring(axis.centre, found.outer_px, 230)), 60)
        assert measured[16] > 0.85
        assert max(measured[other] for other in range(2, 61) if 16 % other) < 0.3


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["place", "dark", "bright"]), st.sampled_from([0.0, 2.0, 9.0]))
def test_no_picture_raises_and_none_of_nothing_is_trusted(seed: int, locate: str, softness: float) -> None:
    part = SymmetricPart(drawn(12), settings_of(12, pose="free", locate=locate))
    image = np.random.default_rng(seed).integers(0, 256, SIZE_WH[::-1], np.uint8)
    if softness:
        image = cv2.normalize(cv2.GaussianBlur(image, (0, 0), softness), None, 0, 255, cv2.NORM_MINMAX)
    pose = part.pose(image)
    assert not pose.trusted
    assert np.isfinite(pose.frame_to_reference).all()
    assert all(np.isfinite(gate.value) for gate in (*pose.gates, *part.proof(image)))
    assert not all(gate.passed for gate in part.proof(image))


def test_colour_and_grey_are_the_same_part() -> None:
    image = drawn(12, turned=0.1)
    part = SymmetricPart(drawn(12), settings_of(12, pose="free"))
    grey, colour = part.pose(image), part.pose(np.repeat(image[..., None], 3, 2))
    assert np.allclose(grey.frame_to_reference, colour.frame_to_reference, atol=1e-3)
    assert np.array_equal(
        rotational_median(np.repeat(image[..., None], 3, 2), CENTRE, 60, 12)[..., 1], rotational_median(image, CENTRE, 60, 12)
    )


def test_the_disc_of_a_part_on_another_grid() -> None:
    part = SymmetricPart(drawn(12), settings_of(12))
    full = part.disc(SIZE_WH)
    half = part.disc((130, 110), np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1.0]]))
    assert full.sum() == pytest.approx(np.pi * (1.03 * RADIUS) ** 2, rel=0.01)
    assert half.sum() == pytest.approx(full.sum() / 4, rel=0.02)
    assert full[round(CENTRE[1]), round(CENTRE[0])]
