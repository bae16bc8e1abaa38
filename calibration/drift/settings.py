"""When a difference counts as drift. docs/drift.md has the reasons."""

from __future__ import annotations

from pydantic import Field

from edge.schema import Closed


class DriftSettings(Closed):
    """Limits of the judgement; a finding needs both: more than chance (alpha), and enough to matter.

    alpha: chance of any false alarm of one kind in one call, over all days together (Holm). min_psi: below it a shift of
    scores is too small to matter (0.1 small, 0.25 large, as credit scoring has it since the 1990s). min_card, min_recent,
    min_day: fewer scores say nothing. moved_share: of the registration's own gate for the shift; a camera that has moved
    that far, or that jumps by a quarter of it, is looked after before it breaks the gate. refused_share: of frames that do
    not register. dark, bright: median brightness against the reference. soft: median sharpness or contrast against it.
    permutations: for the p-value of the PSI; seed: which.
    """

    alpha: float = Field(0.01, gt=0, lt=0.5)
    min_psi: float = Field(0.1, ge=0)
    min_card: int = Field(5, ge=2)
    min_recent: int = Field(8, ge=2)
    min_day: int = Field(4, ge=2)
    moved_share: float = Field(0.4, gt=0, le=1)
    refused_share: float = Field(0.1, gt=0, le=1)
    dark: float = Field(0.8, gt=0, le=1)
    bright: float = Field(1.25, ge=1)
    soft: float = Field(0.8, gt=0, le=1)
    permutations: int = Field(2000, ge=100, le=100_000)
    seed: int = 0
