from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from export.nets.islands import (
    GroupNorm32,
    LayerNorm32,
    Mahalanobis,
    attention,
    cosine_distance_map,
    float_image,
    gaussian_blur,
    gaussian_taps,
    mean_filter,
    precision_factor,
    softmax32,
    ssim_map,
    uniform_blur,
    upsample,
)
from export.nets.moments import moments
from export.proof import run_once
from export.typed import typed_onnx

torch.set_num_threads(1)


@pytest.fixture
def planes() -> torch.Tensor:
    torch.manual_seed(2)
    return torch.rand(1, 3, 24, 20)


def test_colours_and_ranges() -> None:
    image = torch.tensor([[[[255, 51, 0]]]], dtype=torch.uint8)
    assert torch.allclose(float_image(image).flatten(), torch.tensor([1.0, 0.2, 0.0]))
    assert torch.allclose(float_image(image, "bgr").flatten(), torch.tensor([0.0, 0.2, 1.0]))
    grey = cv2.cvtColor(image[0].numpy(), cv2.COLOR_RGB2GRAY)
    assert float_image(image, "grey", scale=1).item() == pytest.approx(grey.item(), abs=0.5)
    normal = float_image(image, mean=(0.5, 0.5, 0.5), std=(0.5, 0.25, 0.5))
    assert torch.allclose(normal.flatten(), torch.tensor([1.0, -1.2, -1.0]))


def test_norms_have_float32_statistics() -> None:
    torch.manual_seed(0)
    values = (300 + torch.randn(2, 8, 4, 4)).half()
    for half_norm, norm, given in (
        (GroupNorm32(2, 8), torch.nn.GroupNorm(2, 8), values),
        (LayerNorm32(8), torch.nn.LayerNorm(8), values.permute(0, 2, 3, 1)),
    ):
        made = half_norm(given)
        assert made.dtype == torch.float16
        torch.testing.assert_close(made.float(), norm(given.float()), atol=2e-3, rtol=0)


def test_softmax_and_attention_of_large_half_numbers() -> None:
    logits = torch.tensor([[60000.0, 59968.0]]).half()
    assert softmax32(logits, 1).dtype == torch.float32
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 2, 5, 4) for _ in range(3))
    expected = functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(attention(query, key, value, 0.5), expected)
    assert attention(query.half(), key.half(), value.half(), 0.5).dtype == torch.float16


@pytest.mark.parametrize(
    ("border", "flag"),
    [("reflect", cv2.BORDER_REFLECT_101), ("replicate", cv2.BORDER_REPLICATE), ("zeros", cv2.BORDER_CONSTANT)],
)
def test_blurs_are_opencvs(planes: torch.Tensor, border: str, flag: int) -> None:
    channels = [np.ascontiguousarray(plane) for plane in planes[0].numpy()]
    for made, expected in (
        (gaussian_blur(planes, 9, 1.7, border), [cv2.GaussianBlur(each, (9, 9), 1.7, borderType=flag) for each in channels]),  # type: ignore[arg-type]
        (uniform_blur(planes, 7, border), [cv2.blur(each, (7, 7), borderType=flag) for each in channels]),  # type: ignore[arg-type]
    ):
        np.testing.assert_allclose(made[0].numpy(), np.stack(expected), atol=2e-6)


def test_an_even_gaussian_is_refused(planes: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="odd"):
        gaussian_blur(planes, 8, 1.0)


def test_the_mean_filter_counts_zeros_around(planes: torch.Tensor) -> None:
    torch.testing.assert_close(mean_filter(planes, 5), uniform_blur(planes, 5, "zeros"))
    ones = torch.ones(1, 1, 6, 6)
    assert mean_filter(ones, 5).min() < 0.5
    assert mean_filter(ones, 5, count_padding=False).min() == pytest.approx(1)


def _plain_ssim(first: np.ndarray, second: np.ndarray, size: int, unbiased: bool) -> np.ndarray:
    """Straight from the definition, in float64, a window at a time."""
    rows, columns = first.shape
    made = np.zeros((rows - size + 1, columns - size + 1))
    for row in range(made.shape[0]):
        for column in range(made.shape[1]):
            x, y = (each[row : row + size, column : column + size].astype(np.float64) for each in (first, second))
            together = np.cov(x.ravel(), y.ravel(), ddof=int(unbiased))
            c1, c2 = 0.01**2, 0.03**2
            above = (2 * x.mean() * y.mean() + c1) * (2 * together[0, 1] + c2)
            made[row, column] = above / ((x.mean() ** 2 + y.mean() ** 2 + c1) * (together[0, 0] + together[1, 1] + c2))
    return made


@pytest.mark.parametrize("unbiased", [False, True])
def test_ssim_is_its_definition(planes: torch.Tensor, unbiased: bool) -> None:
    other = (planes + 0.1 * torch.randn_like(planes)).clamp(0, 1)
    made = ssim_map(planes, other, window="uniform", size=7, border=None, unbiased=unbiased)
    expected = _plain_ssim(planes[0, 1].numpy(), other[0, 1].numpy(), 7, unbiased)
    np.testing.assert_allclose(made[0, 1].numpy(), expected, atol=2e-6)
    whole = ssim_map(planes, other, window="uniform", size=7, unbiased=unbiased)
    assert whole.shape == planes.shape
    torch.testing.assert_close(whole[:, :, 3:-3, 3:-3], made)


@pytest.mark.parametrize(("step", "error"), [(0.0, 2e-6), (0.5, 2e-6), (0.9, 2e-6)])
def test_ssim_of_bright_flat_images_is_not_noise(step: float, error: float) -> None:
    torch.manual_seed(0)
    scene = 0.95 - step * (torch.arange(32) > 15).float()
    first = scene + 1e-3 * torch.rand(1, 1, 32, 32)
    second = scene + 1e-3 * torch.rand(1, 1, 32, 32)
    exact = ssim_map(first.double(), second.double())
    wanted = _gaussian_ssim64(first.double(), second.double())
    assert exact.dtype == torch.float32
    torch.testing.assert_close(exact.double(), wanted, atol=error, rtol=0)


def _gaussian_ssim64(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    taps = torch.exp(-0.5 * ((torch.arange(11).double() - 5) / 1.5) ** 2)
    kernel = (taps[:, None] * taps / taps.sum() ** 2)[None, None]

    def mean(each: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(functional.pad(each, (5, 5, 5, 5), mode="reflect"), kernel)

    x, y = mean(first), mean(second)
    together = mean(first * second) - x * y
    spread = mean(first**2) - x**2 + mean(second**2) - y**2
    return (2 * x * y + 1e-4) * (2 * together + 9e-4) / ((x**2 + y**2 + 1e-4) * (spread + 9e-4))


def test_alike_images_are_one(planes: torch.Tensor) -> None:
    torch.testing.assert_close(ssim_map(planes, planes), torch.ones_like(planes))


def test_cosine_of_features_that_overflow_half() -> None:
    torch.manual_seed(0)
    first = (300 * torch.randn(1, 64, 5, 5)).half()
    second = (first.float() + 30 * torch.randn(1, 64, 5, 5)).half()
    expected = 1 - functional.cosine_similarity(first.double(), second.double(), dim=1)
    torch.testing.assert_close(cosine_distance_map(first, second).double(), expected, atol=1e-6, rtol=0)
    assert cosine_distance_map(torch.zeros(1, 4, 2, 2), torch.zeros(1, 4, 2, 2)).max() == 1


@pytest.mark.parametrize("positions", [None, 3])
def test_mahalanobis_is_its_definition(positions: int | None) -> None:
    random = np.random.default_rng(4)
    count = positions or 1
    samples = random.normal(0, 0.003, (count, 50, 6)) @ random.normal(0, 1, (count, 6, 6))
    covariance = np.stack([np.cov(each.T) + 1e-9 * np.eye(6) for each in samples])
    mean = samples.mean(1)
    vectors = mean + random.normal(0, 0.01, (count, 6))
    offset = vectors - mean
    expected = np.sqrt(np.einsum("pc,pcd,pd->p", offset, np.linalg.inv(covariance), offset))
    factor = precision_factor(torch.from_numpy(covariance))
    if positions is None:
        made = Mahalanobis(torch.from_numpy(mean[0]), factor[0])(torch.from_numpy(vectors).float())
    else:
        made = Mahalanobis(torch.from_numpy(mean), factor)(torch.from_numpy(vectors).float()[None])[0]
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-4)


def test_a_singular_covariance_is_an_error() -> None:
    with pytest.raises(torch.linalg.LinAlgError):
        precision_factor(torch.zeros(3, 3))


def test_upsampling_gives_float32() -> None:
    made = upsample(torch.tensor([[[[0.0, 1.0]]]]).half(), (1, 3), align_corners=True)
    assert made.dtype == torch.float32
    assert made.flatten().tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("size", [1, 3, 11])
def test_moments_are_the_weighted_mean_and_variance(planes: torch.Tensor, size: int) -> None:
    taps = gaussian_taps(size, 1.5)
    mean, variance = moments(planes, taps)
    weight = np.outer(taps, taps)
    for row, column in ((0, 0), (3, 5), (23 - size + 1, 19 - size + 1)):
        shown = planes[0, 1, row : row + size, column : column + size].double().numpy()
        about = (weight * shown).sum()
        assert mean[0, 1, row, column].item() == pytest.approx(about, abs=1e-6)
        assert variance[0, 1, row, column].item() == pytest.approx((weight * (shown - about) ** 2).sum(), abs=1e-7)


def test_a_variance_a_millionth_of_the_mean_is_found() -> None:
    torch.manual_seed(0)
    planes = 0.9 + 1e-4 * torch.rand(1, 1, 40, 40)
    _, variance = moments(planes, [1 / 11] * 11)
    exact = planes.double().unfold(2, 11, 1).unfold(3, 11, 1).var((-2, -1), unbiased=False)
    torch.testing.assert_close(variance.double(), exact, rtol=2e-2, atol=0)
    assert (variance >= 0).all()


@pytest.mark.parametrize("count", [0, 2, -1])
def test_a_gaussian_has_a_middle(count: int) -> None:
    with pytest.raises(ValueError, match="odd number"):
        gaussian_taps(count, 1.0)


class _Blurred(torch.nn.Module):
    """Filters after a padding whose sides the tracer does not know as numbers."""

    def __init__(self, kind: str, border: str) -> None:
        super().__init__()
        self.kind, self.border = kind, border

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        shown = functional.pad(float_image(image), (2, 2, 2, 2), mode="replicate")
        if self.kind == "mean":
            made = uniform_blur(shown, 5, self.border)  # type: ignore[arg-type]
        elif self.kind == "gaussian":
            made = gaussian_blur(shown, 5, 1.0, self.border)  # type: ignore[arg-type]
        else:
            made = ssim_map(shown, shown.flip(3), size=5, border=self.border)  # type: ignore[arg-type]
        return made.mean(1)


@pytest.mark.parametrize("kind", ["mean", "gaussian", "ssim"])
@pytest.mark.parametrize("border", ["reflect", "replicate", "zeros"])
def test_filters_after_a_padding_can_be_written(kind: str, border: str) -> None:
    module = _Blurred(kind, border)
    image = (torch.arange(16 * 20 * 3) * 37 % 256).to(torch.uint8).view(1, 16, 20, 3)
    made = run_once(typed_onnx(module, {"image": image}, ["map"], "float32"), {"image": image.numpy()})["map"]
    np.testing.assert_allclose(made, module(image).numpy(), atol=2e-6)
