"""How a bundle's graphs make one inference: one call, or a denoising loop with its schedule and its noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import Self

from edge.bundle.noise import noise_sha256, stored_noise
from edge.schema import Closed

MAX_STEPS = 1000
MAX_NOISE_BYTES = 256 << 20
# Graphs divide by the root of these in float32.
LEAST_SHARE = 1e-12


class Betas(Closed):
    """The noise that the training added at each timestep: `count` variances, evenly spaced from `first` to `last`."""

    kind: Literal["linear"] = "linear"
    first: float = Field(1e-4, gt=0, lt=1)
    last: float = Field(0.02, gt=0, lt=1)
    count: int = Field(1000, ge=2, le=100_000)

    def kept(self) -> list[float]:
        """Share of the image's variance left after each timestep: the product of 1 - beta up to it, float64.

        Plain Python floats, one rounding per operation: the same on every machine.
        """
        step = (self.last - self.first) / (self.count - 1)
        shares, share = [], 1.0
        for index in range(self.count):
            share *= 1.0 - (self.first + step * index)
            shares.append(share)
        return shares


class Noise(Closed):
    """The loop's fixed noise: made from the seed by `edge.bundle.noise`, and refused where another noise comes out."""

    generator: Literal["philox_as241"] = "philox_as241"
    seed: int = Field(0, ge=0, lt=2**63)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


@dataclass(frozen=True)
class Step:
    """One call of the step graph. coef: sqrt(a), sqrt(1 - a), sqrt(a_next), c1, c2, w, of which a is the share kept."""

    timestep: int
    coef: tuple[float, float, float, float, float, float]


class DenoisingLoop(Closed):
    """Conditioned denoising: noise is added to the image, and taken away again step by step under the image's guidance.

    The sampler is DDIM's (Song et al., ICLR 2021) with the guidance of DDAD (Mousakhan et al., 2023). `step.onnx` does
    one step (xt, y0, noise, t, coef -> xt_next), `model.onnx` compares the image with the last xt (`reconstruction`).

    start: the timestep to whose noise level the image is brought, timesteps: where the step graph is called, falling.
    weight: of the guidance, DDAD's w. eta: share of fresh noise, 1 as DDPM has it, 0 deterministic. image_range: what grey
    levels 0 and 255 are for the network, in y0 and xt (RGB, NCHW). start and timesteps are part of the model, no knobs: a
    change of them changes every score.
    """

    kind: Literal["denoising_loop"] = "denoising_loop"
    betas: Betas = Betas()
    start: int = Field(ge=0)
    timesteps: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1, max_length=MAX_STEPS)
    weight: FiniteFloat
    eta: float = Field(1.0, ge=0, le=1)
    image_range: tuple[FiniteFloat, FiniteFloat] = (-1.0, 1.0)
    noise: Noise

    @model_validator(mode="after")
    def _is_a_schedule(self) -> Self:
        rising = list(reversed(self.timesteps))
        if rising != sorted(set(rising)):
            raise ValueError("timesteps must fall from each to the next")
        if max(self.start, rising[-1]) >= self.betas.count:
            raise ValueError(f"start and timesteps must be below betas.count ({self.betas.count})")
        if self.image_range[0] == self.image_range[1]:
            raise ValueError("image_range must span something")
        shares = self.betas.kept()
        if shares[max(self.start, rising[-1])] < LEAST_SHARE or 1.0 - shares[rising[0]] < LEAST_SHARE:
            raise ValueError("betas leave nothing of the image, or add nothing to it: the schedule has no finite steps")
        return self

    @classmethod
    def seeded(cls, size_wh: tuple[int, int], *, timesteps: tuple[int, ...], seed: int = 0, **fields: object) -> Self:
        """A loop with the noise of this seed; size_wh: of the step graph (a tile's, where the bundle has tiles)."""
        noise = Noise(seed=seed, sha256=noise_sha256(stored_noise(seed, len(timesteps) + 1, size_wh)))
        return cls.model_validate({**fields, "timesteps": timesteps, "noise": noise})

    @property
    def noise_count(self) -> int:
        """Images of noise: one to start from, then one per step."""
        return len(self.timesteps) + 1

    def start_scales(self) -> tuple[float, float]:
        """(of the image, of the noise) in the first xt: sqrt(a), sqrt(1 - a) at `start`."""
        kept = self.betas.kept()[self.start]
        return math.sqrt(kept), math.sqrt(1.0 - kept)

    def steps(self) -> tuple[Step, ...]:
        """Every call of the step graph with its coefficients, computed in float64; after the last one no noise is left."""
        shares = self.betas.kept()
        following = (*self.timesteps[1:], None)
        return tuple(
            self._step(now, shares[now], 1.0 if then is None else shares[then])
            for now, then in zip(self.timesteps, following, strict=True)
        )

    def check(self, size_wh: tuple[int, int]) -> None:
        """ValueError if the noise for graphs of this size would take more memory than a station may spend on it."""
        needed = self.noise_count * 3 * size_wh[0] * size_wh[1] * 4
        if needed > MAX_NOISE_BYTES:
            raise ValueError(f"program: {needed} bytes of noise are more than {MAX_NOISE_BYTES}")

    def _step(self, timestep: int, kept: float, kept_next: float) -> Step:
        fresh = self.eta * math.sqrt((1.0 - kept / kept_next) * (1.0 - kept_next) / (1.0 - kept))
        # Rounding may leave a hair less than nothing where eta is 1.
        held = math.sqrt(max(0.0, 1.0 - kept_next - fresh * fresh))
        coef = (math.sqrt(kept), math.sqrt(1.0 - kept), math.sqrt(kept_next), fresh, held, self.weight)
        return Step(timestep, coef)


Program = Literal["single"] | DenoisingLoop
