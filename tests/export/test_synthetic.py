from __future__ import annotations

import numpy as np
import pytest

from benchmarks.upstream.training import synthetic
from benchmarks.upstream.training.frames import TEXTURES
from benchmarks.upstream.training.tensors import batch, labels, place, shaken
from tests.export.mahalanobis_files import scene

SIZE = (64, 48)
SOURCES = [np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8) for seed in range(3)]
KINDS = {
    "texture": lambda image, rng: synthetic.textured(image, SOURCES, rng),
    "noise patch": lambda image, rng: synthetic.noise_patch(image, SOURCES, rng),
    "rectangle": synthetic.white_rectangle,
    "patch": synthetic.cut_paste,
    "scar": synthetic.scar,
    "any": lambda image, rng: synthetic.any_of(image, SOURCES, rng),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nothing_changes_outside_the_mask_and_the_image_stays_whole(kind):
    image = scene(0, SIZE)
    before = image.copy()
    marked = 0
    for seed in range(40):
        shown, mask = KINDS[kind](image, np.random.default_rng(seed))
        assert (shown.shape, shown.dtype, mask.shape, mask.dtype) == (image.shape, np.uint8, image.shape[:2], bool)
        assert (shown[~mask] == image[~mask]).all()
        marked += bool(mask.any())
    assert (image == before).all()
    assert marked > 20


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_seed_gives_the_same_anomaly(kind):
    image = scene(0, SIZE)
    first, second = (KINDS[kind](image, np.random.default_rng(9)) for _ in range(2))
    assert (first[0] == second[0]).all()
    assert (first[1] == second[1]).all()


def test_a_rectangle_is_white_and_one_piece():
    shown, mask = synthetic.white_rectangle(scene(0, SIZE), np.random.default_rng(1))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    assert mask.sum() == len(rows) * len(columns)
    assert (shown[mask] == 255).all()


def test_a_noise_patch_is_one_piece():
    import cv2

    for seed in range(10):
        _, mask = synthetic.noise_patch(scene(0, SIZE), SOURCES, np.random.default_rng(seed))
        assert cv2.connectedComponents(mask.astype(np.uint8))[0] == 2


@pytest.mark.parametrize("cells", [(1, 1), (4, 2), (32, 16)])
def test_perlin_noise_is_smooth_bounded_and_zero_at_its_corners(cells):
    noise = synthetic.perlin((64, 64), cells, np.random.default_rng(0))
    assert np.abs(noise).max() <= 1.01
    step = (64 // cells[0], 64 // cells[1])
    np.testing.assert_allclose(noise[:: step[0], :: step[1]], 0, atol=1e-6)
    assert noise.std() > 0.1


def test_no_texture_is_an_object_of_the_test():
    from benchmarks import leftovers

    assert not [name for name in TEXTURES for thing in leftovers.OBJECTS if name.startswith(thing)]


def test_pictures_become_batches():
    images = [scene(seed, SIZE) for seed in range(2)]
    planes = batch(images)
    assert planes.shape == (2, 3, 48, 64)
    assert float(planes[1, 2, 5, 7]) == pytest.approx(images[1][5, 7, 2] / 255)
    assert labels([np.eye(4, dtype=bool)])[0].tolist() == np.eye(4, dtype=int).tolist()


def test_a_crop_lies_within_the_picture():
    rng = np.random.default_rng(0)
    assert {scene(0, SIZE)[place(32, SIZE, rng)].shape for _ in range(50)} == {(32, 32, 3)}


def test_shaking_changes_light_and_place_a_little():
    image = scene(0, SIZE)
    shown = shaken(image, np.random.default_rng(3), 1.5)
    assert shown.shape == image.shape
    assert 0 < np.abs(shown.astype(int) - image).mean() < 40
