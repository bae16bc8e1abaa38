"""`collected.json`: what is known of every frame that was collected, and of those that were refused."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import AwareDatetime, Field, FiniteFloat

from calibration.collect.settings import CollectSettings
from edge.recipe.document import Person, Row, Sha256
from edge.schema import Closed
from edge.settings.registration import RegistrationSettings
from edge.types import Homography

MAX_REFUSED = 1000


class CheckValue(Closed):
    """One check of one frame: value against limit, which is a floor (min) or a ceiling (max)."""

    name: str
    value: FiniteFloat
    limit: FiniteFloat
    kind: Literal["min", "max"]

    @property
    def passed(self) -> bool:
        """True within the limit."""
        return self.value >= self.limit if self.kind == "min" else self.value <= self.limit

    def __str__(self) -> str:
        sign = ("<" if self.kind == "min" else ">") if not self.passed else ("≥" if self.kind == "min" else "≤")
        return f"{self.name} {self.value:.3g} {sign} {self.limit:.3g}"


class Refusal(Closed):
    """Why a candidate was not stored. value and limit are None for checks that measure nothing, such as `readable`."""

    name: str
    check: str
    detail: str
    remedy: str
    value: FiniteFloat | None = None
    limit: FiniteFloat | None = None
    at: AwareDatetime

    def __str__(self) -> str:
        return f"{self.name}: {self.check}: {self.detail}: {self.remedy}"


class StoredFrame(Closed):
    """One frame in the folder. sha256: of the file; source_sha256: of the file it was read from, "" for a camera's.

    frame_to_reference: 3x3, frame pixels to reference pixels. gates: the registration's, in the words of docs/registration.md.
    """

    file: Annotated[str, Field(pattern=r"^[0-9]{4,9}\.png$")]
    sha256: Sha256
    source: str
    source_name: str
    source_sha256: str = ""
    taken_at: AwareDatetime | None = None
    stored_at: AwareDatetime
    who: Person
    camera_settings_hash: Sha256 | None = None
    frame_to_reference: tuple[Row, Row, Row]
    gates: tuple[CheckValue, ...]
    checks: tuple[CheckValue, ...]

    def homography(self) -> Homography:
        """frame_to_reference as float64 3x3."""
        return np.array(self.frame_to_reference, np.float64)


class CollectionFile(Closed):
    """`collected.json`. reference: SHA-256 of the recipe's reference image, or of the first frame's file where there was no
    recipe (provisional). refused: the last MAX_REFUSED; refused_count has all.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    view: str
    recipe: str = ""
    reference: Sha256 | None = None
    provisional: bool
    registration: RegistrationSettings
    settings: CollectSettings
    frames: tuple[StoredFrame, ...] = ()
    refused: tuple[Refusal, ...] = ()
    refused_count: int = Field(0, ge=0)
