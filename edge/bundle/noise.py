"""Noise that is the same on every machine, for programs that start from it: a seed in the manifest instead of megabytes.

Philox 4x64-10 (Salmon et al., SC 2011), whose raw bits numpy keeps stable for ever (NEP 19), through the inverse normal
distribution AS241 (Wichura, Applied Statistics 37, 1988). numpy's own normals may change between releases, and `log` and
`cos` differ in their last bit between machines. So everything here is done with operations that IEEE 754 rounds in one
way only (+ - * / sqrt), the logarithm included, and the manifest carries the SHA-256 of what must come out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

CHANNELS = 3
_BITS = 32
_CENTRE = 0.425
# Of u - 0.5 within the centre, and of the tails: numerator and denominator, highest power first.
_CENTRE_OVER = (
    2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
    1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0,
)  # fmt: skip
_CENTRE_UNDER = (
    5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
    5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0,
)  # fmt: skip
_TAIL_OVER = (
    7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
    3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0,
)  # fmt: skip
_TAIL_UNDER = (
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
    6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0,
)  # fmt: skip
_LN2 = 0.6931471805599453
_LOG_TERMS = tuple(2.0 / odd for odd in range(23, 0, -2))


def stored_noise(seed: int, count: int, size_wh: tuple[int, int]) -> NDArray[np.float32]:
    """Standard normal noise, float32 [count, 3, H, W], read-only. Image i depends on seed and i alone.

    seed: 0 .. 2**63 - 1. Values lie within +-6.4 (32 random bits each).
    """
    width, height = size_wh
    noise = np.empty((count, CHANNELS, height, width), np.float32)
    for index in range(count):
        noise[index] = _normals(seed, index, CHANNELS * height * width).reshape(CHANNELS, height, width)
    noise.flags.writeable = False
    return noise


def noise_sha256(noise: NDArray[np.float32]) -> str:
    """SHA-256 of the values as little-endian float32, in order."""
    return hashlib.sha256(np.ascontiguousarray(noise, "<f4").tobytes()).hexdigest()


def _normals(seed: int, stream: int, count: int) -> Doubles:
    raw = np.random.Philox(key=np.array([seed, stream], np.uint64)).random_raw(-(-count // 2))
    bits = np.asarray(raw, "<u8").view("<u4")[:count]
    return inverse_normal((bits.astype(np.float64) + 0.5) * 2.0**-_BITS)


def inverse_normal(share: Doubles) -> Doubles:
    """The value below which this share of a standard normal distribution lies; shares within 1e-10 .. 1 - 1e-10."""
    offset = share - 0.5
    square = 0.180625 - offset * offset
    value = offset * _polynomial(_CENTRE_OVER, square) / _polynomial(_CENTRE_UNDER, square)
    tail = np.flatnonzero(np.abs(offset) > _CENTRE)
    outer = share[tail]
    reach = np.sqrt(-_log(np.minimum(outer, 1.0 - outer))) - 1.6
    far = _polynomial(_TAIL_OVER, reach) / _polynomial(_TAIL_UNDER, reach)
    value[tail] = np.where(outer < 0.5, -far, far)
    return np.asarray(value, np.float64)


def _polynomial(coefficients: Sequence[float], x: Doubles) -> Doubles:
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value


def _log(x: Doubles) -> Doubles:
    """Natural logarithm by atanh's series, |s| <= 1/3: to 1e-12, and to the same bit on every machine."""
    mantissa, exponent = np.frexp(x)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    return np.asarray(s * _polynomial(_LOG_TERMS, s * s) + exponent * _LN2, np.float64)
