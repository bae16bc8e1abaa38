from __future__ import annotations

from typing import get_args

import cv2
import numpy as np
import pytest

from edge.registration import register, resize, scaling, warp
from edge.settings.registration import ResizeKernel
from tests.registration.scenes import SIZE_WH, nudge, textured

KERNELS = get_args(ResizeKernel)
SMALL = np.array([[(37 * x * x + 91 * y + 13 * x * y) % 256 for x in range(9)] for y in range(7)], np.uint8)

# Image.fromarray(SMALL).resize(size, Image.BILINEAR / BICUBIC) of Pillow 13.0.0
PILLOW = {
    ("antialiased_bilinear", (4, 3)): [[100, 123, 135, 105], [134, 161, 132, 126], [123, 132, 110, 125]],
    ("antialiased_bilinear", (2, 7)): [[79, 73], [119, 150], [156, 150], [160, 115], [121, 141], [150, 120], [100, 103]],
    ("antialiased_bilinear", (9, 5)): [
        [30, 72, 102, 120, 128, 124, 108, 82, 44],
        [142, 199, 74, 137, 160, 144, 173, 162, 111],
        [64, 140, 196, 164, 206, 113, 94, 102, 137],
        [148, 129, 156, 143, 90, 82, 177, 204, 49],
        [89, 114, 128, 131, 122, 102, 71, 114, 145],
    ],
    ("antialiased_bicubic", (4, 3)): [[95, 123, 140, 99], [139, 165, 134, 130], [120, 133, 106, 124]],
    ("antialiased_bicubic", (2, 7)): [[78, 75], [123, 149], [155, 151], [161, 116], [120, 139], [151, 118], [99, 105]],
    ("antialiased_bicubic", (9, 5)): [
        [22, 62, 101, 122, 128, 119, 106, 78, 36],
        [148, 205, 71, 140, 163, 146, 176, 165, 114],
        [54, 142, 206, 162, 216, 113, 84, 92, 150],
        [152, 127, 159, 146, 87, 80, 183, 210, 40],
        [87, 111, 129, 133, 122, 107, 63, 106, 150],
    ],
}


@pytest.mark.parametrize(("kernel", "size_wh"), list(PILLOW))
def test_antialiased_kernels_are_pillows(kernel, size_wh):
    found = resize(SMALL, size_wh, kernel)
    assert np.abs(found.astype(int) - np.array(PILLOW[kernel, size_wh])).max() <= 1
    colour = resize(np.stack([SMALL] * 3, -1), size_wh, kernel)
    assert np.array_equal(colour, np.stack([found] * 3, -1))


def slowly(row, length, kernel):
    """One row, as Pillow's Resample.c writes it, one output at a time."""
    support = 1.0 if kernel == "antialiased_bilinear" else 2.0
    scale = len(row) / length
    wide = max(scale, 1.0)
    result = []
    for i in range(length):
        centre = (i + 0.5) * scale
        first = max(0, int(centre - support * wide + 0.5))
        end = min(len(row), int(centre + support * wide + 0.5))
        weights = []
        for x in range(first, end):
            t = abs((x - centre + 0.5) / wide)
            if kernel == "antialiased_bilinear":
                weights.append(max(0.0, 1 - t))
            else:
                weights.append((1.5 * t - 2.5) * t * t + 1 if t < 1 else ((-0.5 * t + 2.5) * t - 4) * t + 2 if t < 2 else 0)
        value = sum(w * float(v) for w, v in zip(weights, row[first:end], strict=True)) / sum(weights)
        result.append(min(255, max(0, int(np.floor(value + 0.5)))))
    return result


@pytest.mark.parametrize("kernel", ["antialiased_bilinear", "antialiased_bicubic"])
@pytest.mark.parametrize("length", [1, 7, 40, 96, 97, 130])
def test_many_rows_at_once_are_as_one_at_a_time(kernel, length):
    image = np.random.default_rng(length).integers(0, 256, (3, 97)).astype(np.uint8)
    found = resize(image, (length, 3), kernel)
    assert np.abs(found.astype(int) - [slowly(row, length, kernel) for row in image]).max() <= 1


@pytest.mark.parametrize("kernel", KERNELS)
def test_resize_to_the_same_size_changes_nothing(kernel):
    assert np.array_equal(resize(SMALL, (9, 7), kernel), SMALL)


def test_the_kernels_differ_as_trainings_do():
    image = np.random.default_rng(0).integers(0, 256, (200, 240)).astype(np.uint8)
    linear, triangle = (resize(image, (24, 20), kernel).astype(int) for kernel in ("cv2_linear", "antialiased_bilinear"))
    assert np.abs(linear - triangle).max() > 50


def test_scaling_maps_edges_to_edges():
    matrix = scaling((300, 200), (100, 50))
    assert matrix @ (-0.5, -0.5, 1) == pytest.approx((-0.5, -0.5, 1))
    assert matrix @ (299.5, 199.5, 1) == pytest.approx((99.5, 49.5, 1))


@pytest.mark.parametrize("kernel", KERNELS)
def test_exact_is_the_warp_and_then_the_resize(kernel):
    frame, size_wh = textured(1), (213, 140)
    to_reference = nudge((5.3, -2.2), turn_deg=0.4)
    found, seen = register(frame, scaling(SIZE_WH, size_wh) @ to_reference, size_wh, SIZE_WH, kernel, "exact")
    expected = resize(warp(frame, to_reference, SIZE_WH)[0], size_wh, kernel)
    inner = cv2.erode(seen.astype(np.uint8), np.ones((5, 5)), borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    assert inner.mean() > 0.85
    assert np.abs(found.astype(int) - expected)[inner].max() <= 1


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("size_wh", [(320, 210), (213, 140), (130, 85), (64, 42), (640, 420), (800, 525)])
def test_fused_looks_like_exact(kernel, size_wh):
    frame = textured(1)
    to_model = scaling(SIZE_WH, size_wh) @ nudge((5.3, -2.2), turn_deg=0.4)
    exact, seen = register(frame, to_model, size_wh, SIZE_WH, kernel, "exact")
    fused, same = register(frame, to_model, size_wh, SIZE_WH, kernel, "fused")
    assert np.array_equal(seen, same)
    inner = cv2.erode(seen.astype(np.uint8), np.ones((5, 5)), borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    difference = np.abs(exact.astype(int) - fused)[inner]
    strong = size_wh[0] < 200
    assert difference.mean() < (4 if strong else 2)
    assert np.percentile(difference, 99) < (16 if strong else 9)


@pytest.mark.parametrize("mode", ["exact", "fused"])
def test_outside_the_frame_is_filled_and_not_covered(mode):
    frame, size_wh = textured(1), (160, 105)
    fill = np.full((105, 160, 3), 77, np.uint8)
    to_model = scaling(SIZE_WH, size_wh) @ nudge((40, 0))
    found, seen = register(frame, to_model, size_wh, SIZE_WH, "cv2_area", mode, fill)
    assert np.array_equal(seen, np.pad(np.ones((105, 150), bool), ((0, 0), (10, 0))))
    assert (found[~seen] == 77).all()
    assert not (found[:, 10:] == 77).all(-1).any(1).all()


def test_a_crop_is_registered_at_its_own_full_size():
    frame = textured(1)
    crop = np.array([[1, 0, -100], [0, 1, -60], [0, 0, 1.0]])
    found, seen = register(frame, scaling((300, 240), (100, 80)) @ crop, (100, 80), (300, 240), "cv2_area", "exact")
    assert np.array_equal(found, resize(np.ascontiguousarray(frame[60:300, 100:400]), (100, 80), "cv2_area"))
    assert seen.all()


def test_a_fill_of_another_size_is_refused():
    with pytest.raises(ValueError, match="fill"):
        register(textured(1), np.eye(3), (100, 80), SIZE_WH, fill=np.zeros((80, 101, 3), np.uint8))
