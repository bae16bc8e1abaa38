from __future__ import annotations

import numpy as np
import pytest

from edge.errors import ConfigError
from edge.settings.judging import MaskPolygon
from edge.settings.registration import RegistrationSettings
from edge.types import ImageU8
from export.adapters.good_frames import prepare
from export.adapters.registering import MOVED_SHARE, GoodFrame, ModelView, moved, rgb
from tests.export.scenes import frames, scene

SIZE_WH = (96, 64)
"""Of the model."""


@pytest.fixture(scope="module")
def shots() -> list[ImageU8]:
    return frames(6, scene(size_wh=(512, 320)))


def _frames(shots: list[ImageU8]) -> list[GoodFrame]:
    return [GoodFrame(image, f"{place}.png", f"{place:064d}") for place, image in enumerate(shots)]


def test_a_moved_frame_is_shown_where_it_belongs(shots: list[ImageU8]) -> None:
    view = ModelView(shots[0], RegistrationSettings(), SIZE_WH, "cv2_area", moved=2)
    shown = list(view.show(_frames(shots)))
    assert [each.frame.name for each in shown] == [f"{place}.png" for place in range(6) for _ in range(3)]
    assert view.refused == []
    assert all(each.frame.image.size == 0 for each in shown)
    for still, first, second in zip(shown[::3], shown[1::3], shown[2::3], strict=True):
        assert not np.array_equal(first.image, second.image)
        for each in (first, second):
            both = still.covered & each.covered
            apart = np.abs(still.image[both].astype(int) - each.image[both]).mean()
            assert apart < 6
            outside = ~each.covered
            assert np.array_equal(each.image[outside], view.ideal[outside])


def test_some_of_a_moved_frame_is_outside_the_view(shots: list[ImageU8]) -> None:
    view = ModelView(shots[0], RegistrationSettings(), SIZE_WH, "cv2_area", moved=4)
    covers = [each.covered.mean() for each in view.show(_frames(shots)[:2])]
    assert min(covers) < 0.999
    assert min(covers) > 1 - 4 * MOVED_SHARE - 0.05


def test_the_same_seed_moves_alike_and_another_does_not(shots: list[ImageU8]) -> None:
    first, again, other = (
        [each.image for each in ModelView(shots[0], RegistrationSettings(), SIZE_WH, "cv2_area", moved=1, seed=seed).show(
            _frames(shots)[:2]
        )]
        for seed in (0, 0, 1)
    )  # fmt: skip
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])
    assert np.array_equal(first[0], other[0])


def test_moved_frames_are_counted_once_and_masked_as_the_reference(shots: list[ImageU8]) -> None:
    half = MaskPolygon(name="half", points=((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
    prepared = prepare(_frames(shots), SIZE_WH, "cv2_area", reference=shots[0], polygons=(half,), moved=2)
    assert len(prepared.images) == 18
    assert prepared.used == tuple(f"{place}.png" for place in range(6))
    assert len(prepared.sha256) == 6
    masked = [image[:, :40] for image in prepared.images]
    assert all(np.array_equal(each, masked[0]) for each in masked)
    assert len({image[:, 60:].tobytes() for image in prepared.images}) == 18


@pytest.mark.parametrize("how", ["no reference", "no registration"])
def test_nothing_is_moved_where_nothing_is_registered(shots: list[ImageU8], how: str) -> None:
    settings = RegistrationSettings(mode="none")
    reference = None if how == "no reference" else shots[0]
    prepared = prepare(_frames(shots), SIZE_WH, "cv2_area", reference=reference, register=settings, moved=2)
    assert len(prepared.images) == 6


def test_five_frames_are_five_however_often_they_are_moved(shots: list[ImageU8]) -> None:
    with pytest.raises(ConfigError, match="4 usable good frames"):
        prepare(_frames(shots)[:4], SIZE_WH, "cv2_area", reference=shots[0], moved=3)


@pytest.mark.parametrize("shape", [(64, 48, 3), (64, 48)])
def test_moving_keeps_shape_and_range(shape: tuple[int, ...]) -> None:
    image = np.full(shape, 200, np.uint8)
    made = moved(image, np.random.default_rng(0))
    assert (made.shape, made.dtype) == (image.shape, image.dtype)
    # The edge pixels are repeated: nothing black comes in.
    assert (made == 200).all()
    assert rgb(made).shape == (64, 48, 3)
