"""Settings of a clearance: votes, time-outs, challenge, what the station must be to answer, and who may release what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from edge.schema import Closed
from edge.settings.judging import VoteRule

BESIDE_FRAMES_S = 60.0
"""What a clearance gets beyond the time for its frames, where nothing else is written: fitness and challenge."""


class ChallengeConfig(Closed):
    """When the known good and the known bad frames of every view must have given their verdicts.

    required: never; always (in every clearance, before its frames); max_age (in the clearance, if the last one is older
    than max_age_h or no longer holds).
    """

    required: Literal["never", "always", "max_age"] = "never"
    max_age_h: float = Field(12.0, gt=0, le=8760)


class ReviewConfig(Closed):
    """What a person may answer to a view that did not pass, and for how long.

    within_min: after the clearance was decided. snapshot_max_age_min: how old the live frame may be that the person looked
    at before a release.
    """

    within_min: float = Field(60.0, gt=0, le=10080)
    snapshot_max_age_min: float = Field(5.0, gt=0, le=1440)


class ClearanceConfig(Closed):
    """How a clearance is reached.

    timeout_s: how long a view may take for all its frames. total_timeout_s: how long the whole may take; None: timeout_s
    and a minute. min_free_bytes: what must be free on the disk of state_dir. order_max_age_s: an order that says when it
    was made is refused after so long, because it lay in a broker and nobody waits for it any more. operator: whether it must
    say who asks. remember: so many requests keep their answer.
    """

    vote: VoteRule = VoteRule()
    timeout_s: float = Field(10.0, gt=0, le=600)
    total_timeout_s: float | None = Field(None, gt=0, le=7200)
    challenge: ChallengeConfig = ChallengeConfig()
    review: ReviewConfig = ReviewConfig()
    min_free_bytes: int = Field(200 * 1024**2, ge=0)
    operator: Literal["optional", "required"] = "optional"
    order_max_age_s: float = Field(60.0, gt=0, le=86400)
    remember: int = Field(2000, ge=10, le=1_000_000)

    @model_validator(mode="after")
    def _the_whole_takes_longer(self) -> Self:
        if self.total_timeout_s is not None and self.total_timeout_s < self.timeout_s:
            raise ValueError(f"total_timeout_s must be at least timeout_s: write {self.timeout_s:g} or more")
        return self
