"""A ring of an image as a spectrum over the angle: how symmetric it is, and by how much one is turned against another.

A pattern that repeats n times around has energy in the harmonics n, 2n, 3n, ... alone. By the Wiener-Khinchin theorem
their share of all energy is the mean correlation of the ring with itself turned by 1/n, 2/n, ... of a turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.types import ImageU8

ANGLES = 2048
RADII = 128
LOWEST_HARMONIC = 2  # the first is a slope of the light, or a centre that is a little off
NOISE_GREY = 2.0  # RMS grey levels of the angular structure; below it there is nothing to hold on to
FINE_STEPS = 64  # per period of the finest harmonic that counts
FINEST_HARMONIC = 256


@dataclass(frozen=True)
class Ring:
    """Around an axis, in pixels of an image: between inner_px and outer_px from the centre (x, y)."""

    centre: tuple[float, float]
    outer_px: float
    inner_px: float = 0.0

    def fits(self, size_wh: tuple[int, int]) -> bool:
        """True if the whole disc lies on an image of that size."""
        return all(
            place - self.outer_px >= -0.5 and place + self.outer_px <= side - 0.5
            for place, side in zip(self.centre, size_wh, strict=True)
        )


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Harmonics over the angle, complex128 [harmonics, radii], weighted by the root of the radius; [0] is the mean.

    structure_grey: RMS grey levels of what varies over the angle.
    """

    harmonics: NDArray[np.complex128]
    structure_grey: float

    @property
    def energy(self) -> NDArray[np.float64]:
        """Energy by harmonic, the mean and the first left out (0)."""
        energy = np.asarray((np.abs(self.harmonics) ** 2).sum(1), np.float64)
        energy[:LOWEST_HARMONIC] = 0
        return energy


def grey(image: ImageU8) -> ImageU8:
    """HxW of HxWx3 RGB or HxW."""
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def spectrum(image: ImageU8, ring: Ring) -> Spectrum:
    """The ring's spectrum; uint8 HxWx3 RGB or HxW. What lies outside the image counts as its border's colour."""
    angles = np.arange(ANGLES) * (2 * np.pi / ANGLES)
    radii = ring.inner_px + (np.arange(RADII) + 0.5) * ((ring.outer_px - ring.inner_px) / RADII)
    columns = (ring.centre[0] + np.outer(np.cos(angles), radii)).astype(np.float32)
    rows = (ring.centre[1] + np.outer(np.sin(angles), radii)).astype(np.float32)
    polar = cv2.remap(grey(image), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float64)
    varying = polar - polar.mean(0)
    weight = radii / radii.sum()
    harmonics = np.fft.rfft(varying, axis=0)[: FINEST_HARMONIC + 1] / ANGLES * np.sqrt(weight)
    return Spectrum(harmonics, float(np.sqrt((varying**2 * weight).sum(1).mean())))


def symmetry(ring: Spectrum, fold: int) -> float:
    """How much of the ring's angular structure repeats with the fold: 1 all, 0 no more than chance would have it.

    Chance: n-fold harmonics are one in n, so noise alone has 1/n of its energy there.
    """
    energy = ring.energy
    whole = float(energy.sum())
    if ring.structure_grey < NOISE_GREY or whole <= 0:
        return 0.0
    share = float(energy[fold::fold].sum()) / whole
    return (share - 1 / fold) / (1 - 1 / fold)


def folds(ring: Spectrum, most: int) -> NDArray[np.float64]:
    """`symmetry` for every fold 0..most (0 and 1 are nan)."""
    return np.array([np.nan, np.nan, *(symmetry(ring, fold) for fold in range(2, most + 1))])


def angle_between(ring: Spectrum, ideal: Spectrum, fold: int) -> tuple[float, float]:
    """(by how much the ring is turned against the ideal, radians in -pi/fold..pi/fold, positive from x to y; how alike the
    two are then, -1..1). Only harmonics of the fold count, so damage to one tooth says little.
    """
    chosen = np.arange(fold, len(ideal.harmonics), fold)
    product = (ring.harmonics[chosen] * ideal.harmonics[chosen].conj()).sum(1)
    energies = [float((np.abs(each.harmonics[chosen]) ** 2).sum()) for each in (ring, ideal)]
    norm = float(np.sqrt(energies[0] * energies[1]))
    if norm <= 0:
        return 0.0, 0.0
    steps = FINE_STEPS * len(chosen)
    turns = (np.arange(steps) / steps - 0.5) * (2 * np.pi / fold)
    # A ring turned by t has its harmonic m multiplied by exp(-i m t).
    alike = (product @ np.exp(1j * np.outer(chosen, turns))).real / norm
    best = int(np.argmax(alike))
    left, middle, right = (alike[(best + offset) % steps] for offset in (-1, 0, 1))
    bend = left - 2 * middle + right
    part = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(turns[best] + part * (turns[1] - turns[0])), float(middle)
