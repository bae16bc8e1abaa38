"""`recipe.yaml`: what a version of a recipe says of itself."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, AwareDatetime, Field, FiniteFloat, model_validator
from typing_extensions import Self

from edge.schema import Closed
from edge.settings.judging import ScoreRule
from edge.settings.mqtt import TopicLevel, topic_level
from edge.settings.registration import RegistrationSettings
from edge.settings.symmetry import SymmetrySettings
from edge.types import Homography

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Person = Annotated[str, Field(min_length=1, max_length=200)]
Sentence = Annotated[str, Field(min_length=1, max_length=2000)]
Row = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
IDENTITY: tuple[Row, Row, Row] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class RecipeFile(Closed):
    """One version's `recipe.yaml`.

    reference_to_model: homography from the pixels of this recipe's reference to those of the image on which the bundle
    was built (same size); identity where they are one image. symmetry: the part looks the same when it is turned, and is
    held against its own rotational median too. score: overrides the manifest's rule. restored_from: the version that a
    rollback brought back.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    view: Annotated[TopicLevel, Field(min_length=1)]
    product: Annotated[str, AfterValidator(lambda text: text and topic_level(text)), Field(max_length=80)] = ""
    bundle: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}-[0-9a-f]{12}$")]
    bundle_hash: Sha256
    reference_sha256: Sha256
    registration: RegistrationSettings = RegistrationSettings()
    reference_to_model: tuple[Row, Row, Row] = IDENTITY
    symmetry: SymmetrySettings | None = None
    score: ScoreRule | None = None
    min_area_px: FiniteFloat = Field(16.0, ge=0)
    created_by: Person
    created_at: AwareDatetime
    why: Sentence
    restored_from: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _can_be_inverted(self) -> Self:
        if abs(float(np.linalg.det(np.array(self.reference_to_model)))) < 1e-6:
            raise ValueError("reference_to_model cannot be inverted")
        return self

    def homography(self) -> Homography:
        """reference_to_model as a read-only float64 3x3."""
        matrix = np.array(self.reference_to_model, np.float64)
        matrix.flags.writeable = False
        return matrix


def hash_of(data: Any) -> str:
    """SHA-256 of JSON-ready data in canonical form: keys sorted, no spaces, ASCII, no NaN."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
