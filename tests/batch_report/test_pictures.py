from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.batch_report import Limits
from edge.batch_report.pictures import fit
from edge.heatmap import encode
from edge.types import ImageU8


def noise(width: int, height: int) -> ImageU8:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def size_wh(data: bytes) -> tuple[int, int]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.shape[1], image.shape[0]


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_what_is_small_enough_keeps_its_bytes(kind: str) -> None:
    data = encode(noise(64, 48), kind)  # type: ignore[arg-type]
    shown = fit(data, f"image/{kind}", Limits())
    assert shown is not None
    assert (shown.data, shown.content_type, shown.size_wh, shown.as_stored) == (data, f"image/{kind}", (64, 48), True)


@pytest.mark.parametrize(("width", "height"), [(2048, 300), (200, 2800), (1500, 1500)])
def test_what_is_too_large_becomes_a_smaller_jpeg_of_the_same_shape(width: int, height: int) -> None:
    shown = fit(encode(noise(width, height), "png"), "image/png", Limits())
    assert shown is not None
    assert not shown.as_stored
    assert len(shown.data) <= Limits().one_bytes
    assert size_wh(shown.data) == shown.size_wh
    assert shown.size_wh[0] <= 1024
    assert shown.size_wh[1] <= 1400
    assert shown.size_wh[0] / shown.size_wh[1] == pytest.approx(width / height, rel=0.02)


def test_the_limit_holds_however_small() -> None:
    shown = fit(encode(noise(400, 300), "png"), "image/png", Limits(one_bytes=3000))
    assert shown is not None
    assert len(shown.data) <= 3000


def test_a_file_that_lies_about_its_type_is_written_anew() -> None:
    shown = fit(encode(noise(32, 32), "png"), "image/jpeg", Limits())
    assert shown is not None
    assert shown.data.startswith(b"\xff\xd8")
    assert not shown.as_stored


@settings(deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"\xff\xd8\xff" + tail))
def test_what_is_no_picture_is_none(data: bytes) -> None:
    shown = fit(data, "image/jpeg", Limits())
    assert shown is None or size_wh(shown.data) == shown.size_wh
