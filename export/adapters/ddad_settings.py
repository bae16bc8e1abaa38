"""What a DDAD checkpoint does not say and its config.yaml does."""

from __future__ import annotations

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import Self

from edge.schema import Closed


class DdadSettings(Closed):
    """What no checkpoint says; the names in brackets are upstream's.

    weight (w): how firmly the picture guides its reconstruction. pixel_weight (v): the pixels' distance against the
    features'. trajectory (test_trajectoy_steps), skip: denoising starts at the noise of `trajectory` and visits every
    skip-th step below it; both are part of the model. steps (trajectory_steps), beta_first, beta_last, eta: of the schedule.
    heads: of the attention, None for upstream's. crop: only the middle square is scored, as upstream's test does at 256.
    pre_masking: masked pixels are black in both pictures before they are compared.
    """

    weight: FiniteFloat = Field(ge=0)
    pixel_weight: FiniteFloat = Field(1.0, ge=0)
    trajectory: int = Field(250, ge=1)
    skip: int = Field(25, ge=1)
    steps: int = Field(1000, ge=2, le=100_000)
    beta_first: float = Field(1e-4, gt=0, lt=1)
    beta_last: float = Field(0.02, gt=0, lt=1)
    eta: float = Field(1.0, ge=0, le=1)
    noise_seed: int = Field(0, ge=0, lt=2**63)
    heads: int | None = Field(None, ge=1, le=64)
    crop: int | None = Field(None, ge=1)
    pre_masking: bool = False

    @model_validator(mode="after")
    def _is_a_schedule(self) -> Self:
        if self.trajectory >= self.steps:
            raise ValueError(f"trajectory must be below steps ({self.steps})")
        return self

    @property
    def timesteps(self) -> tuple[int, ...]:
        """Where the network is asked, falling: 225, 200, ..., 0."""
        return tuple(reversed(range(0, self.trajectory, self.skip)))
