"""What the wizard keeps of one calibration: it goes on after a break, on another tablet, after a restart of the page."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, FiniteFloat

from calibration.methods import Method
from edge.recipe.document import Person, Sentence, Sha256
from edge.schema import Closed

Step = Literal["frames", "model", "masks", "thresholds", "preview", "challenge", "accept"]
STEPS: Final[tuple[Step, ...]] = ("frames", "model", "masks", "thresholds", "preview", "challenge", "accept")
UserName = Annotated[str, Field(min_length=1, max_length=200)]


class Tried(Closed):
    """One known frame, judged with the new card. name: in the recipe's challenge. expected: what it must be."""

    name: Annotated[str, Field(max_length=200)]
    expected: Literal["PASS", "FAIL"]
    outcome: Annotated[str, Field(max_length=40)]
    reason: Annotated[str, Field(max_length=500)] = ""
    score: FiniteFloat | None = None
    threshold: FiniteFloat | None = None

    @property
    def as_expected(self) -> bool:
        """True if the new card sees in it what is known to be there."""
        return self.outcome == self.expected

    @property
    def is_missed(self) -> bool:
        """A known defect that would pass: the worst that can happen."""
        return self.expected == "FAIL" and self.outcome == "PASS"


class Proof(Closed):
    """A preview or a challenge that was made with one choice of thresholds. choice: the hash of that choice."""

    choice: Sha256
    made_at: AwareDatetime
    frames: tuple[Tried, ...] = Field((), max_length=200)

    @property
    def missed(self) -> tuple[Tried, ...]:
        """Known defects that would pass."""
        return tuple(one for one in self.frames if one.is_missed)

    @property
    def wrong(self) -> tuple[Tried, ...]:
        """Everything that did not come out as it must."""
        return tuple(one for one in self.frames if not one.as_expected)


class WizardState(Closed):
    """One calibration of one view that has been begun and is not accepted yet.

    user, person: who is at it (sign-in name, and the name that goes into the history). recipe_version: the version that it
    started from; another one in force since then ends it. bundle: another bundle than the recipe's by its content hash, None
    for the one in force. image_threshold: where the line was dragged to, None where the method put it. masks_seen: a person
    looked at the masks of this version. proofs: of preview and challenge.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    view: Annotated[str, Field(min_length=1, max_length=200)]
    user: UserName
    person: Person
    begun_at: AwareDatetime
    touched_at: AwareDatetime
    recipe: Annotated[str, Field(max_length=4000)]
    recipe_version: Annotated[int, Field(ge=1)]
    bundle: Sha256 | None = None
    masks_seen: bool = False
    method: Method | None = None
    image_threshold: FiniteFloat | None = None
    preview: Proof | None = None
    challenge: Proof | None = None


class Finished(Closed):
    """What came of the last calibration of a view that was accepted.

    reloaded: the station has it in force; if not, trouble says why in the words of who said it. ready: the view judges again;
    not_ready: why it does not. None: the station was not heard.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    view: Annotated[str, Field(min_length=1, max_length=200)]
    person: Person
    why: Sentence
    at: AwareDatetime
    version: Annotated[int, Field(ge=1)]
    card: Sha256
    reloaded: bool = False
    trouble: Annotated[str, Field(max_length=2000)] = ""
    ready: bool | None = None
    not_ready: Annotated[str, Field(max_length=2000)] = ""


def touched(state: WizardState, now: datetime, **changes: object) -> WizardState:
    """The state with changes; whatever is proven is proven again by whoever changes what it was proven with."""
    return WizardState.model_validate({**state.model_dump(by_alias=True), "touched_at": now, **changes})
