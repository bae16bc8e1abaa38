from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from edge.publishers.images import fit_image
from edge.publishers.payloads import EncodedImage
from tests.publishers.samples import picture, png


def decoded(image: EncodedImage) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return pixels


def photograph(height: int = 600, width: int = 900) -> np.ndarray:
    """Smooth colours with a little noise: what cameras give."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    base = np.stack([x / width * 255, y / height * 255, (np.sin(x / 40) + 1) * 127], axis=-1)
    noise = np.random.default_rng(1).normal(0, 4, base.shape)
    return np.clip(base + noise, 0, 255).astype(np.uint8)


def as_png(pixels: np.ndarray) -> EncodedImage:
    return EncodedImage(cv2.imencode(".png", pixels)[1].tobytes(), "image/png")


def test_what_fits_is_not_touched() -> None:
    assert fit_image(png(), len(png().data)) == png()


def test_quality_goes_before_size_and_colours_stay() -> None:
    pixels = photograph()
    image = as_png(pixels)
    fitted = fit_image(image, 60_000)
    assert fitted is not None
    assert fitted.content_type == "image/jpeg"
    assert len(fitted.data) <= 60_000 < len(image.data)
    again = decoded(fitted)
    assert again.shape == pixels.shape
    assert np.abs(again.astype(int) - pixels).mean() < 6


@pytest.mark.parametrize("cap", [200_000, 60_000, 20_000, 5_000, 1_500])
def test_always_within_the_cap_and_in_proportion(cap: int) -> None:
    fitted = fit_image(as_png(photograph()), cap)
    assert fitted is not None
    assert len(fitted.data) <= cap
    height, width = decoded(fitted).shape[:2]
    assert width / height == pytest.approx(1.5, rel=0.03)


def test_a_smaller_cap_never_gives_a_larger_picture() -> None:
    image = as_png(photograph())
    areas = []
    for cap in (200_000, 60_000, 20_000, 5_000, 1_500):
        fitted = fit_image(image, cap)
        assert fitted is not None
        areas.append(decoded(fitted).size)
    assert all(larger >= smaller for larger, smaller in pairwise(areas))


def test_grey_stays_grey() -> None:
    fitted = fit_image(as_png(picture(300, 300)[..., 0]), 20_000)
    assert fitted is not None
    assert decoded(fitted).ndim == 2


@pytest.mark.parametrize("pixels", [np.full((50, 60, 4), 77, np.uint8), np.full((300, 300), 30_000, np.uint16)])
def test_transparency_and_16_bits_become_a_jpeg(pixels: np.ndarray) -> None:
    noisy = (pixels + np.random.default_rng(0).integers(0, 50, pixels.shape)).astype(pixels.dtype)
    image = as_png(noisy)
    fitted = fit_image(image, len(image.data) - 1)
    assert fitted is not None
    assert fitted.content_type == "image/jpeg"


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n", bytes(10_000), b"\xff\xd8\xff" + bytes(10_000), b"GIF89a" + bytes(10_000)]
)
def test_what_is_no_picture_does_not_fit(data: bytes) -> None:
    assert fit_image(EncodedImage(data, "image/png"), len(data) - 1) is None


def test_a_cap_that_nothing_meets() -> None:
    assert fit_image(png(), 50) is None
    assert fit_image(png(), -5) is None
