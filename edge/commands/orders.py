"""Every command as it is asked for: closed models, from which docs/schemas/command-*.json follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from edge.commands.words import Count, Moment, Name, Note, Number, Truth, ViewName, Why
from edge.schema import Closed
from edge.settings.adjustable import FeatureName
from edge.settings.mqtt import TopicLevel

COMMAND_SCHEMA: Final = "lineclear/command/1"
ARCHIVE_LIMIT: Final = 100


class Command(Closed):
    """What every command says. client: who asks; the answer goes to reply/{client}. request_id: new for each command; the
    same one again is answered again, not done again. sent_at: by the asker's clock. signature: HMAC-SHA256, see
    docs/commands.md.
    """

    schema_name: Literal["lineclear/command/1"] = Field(alias="schema")
    request_id: Name
    client: Annotated[TopicLevel, Field(min_length=1)]
    sent_at: Moment
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class SignedByPerson(Command):
    """A command that changes how the station works: a person answers for it."""

    who: Name
    why: Why


class ClearanceCommand(Command):
    """Check every view now and give one result for this batch."""

    batch: Annotated[Name, Field(pattern=r"^[^/]+$")]
    product: Annotated[TopicLevel, Field(min_length=1)]
    operator: Annotated[Note, Field(max_length=128)] = ""
    note: Note = ""


class CancelCommand(Command):
    """End the running clearance. cancels: its request_id."""

    cancels: Name
    who: Name


class ChallengeCommand(Command):
    """Run every view's known good and known bad frames now."""

    who: Name


class ReviewCommand(SignedByPerson):
    """A person's answer to views that did not pass. result_id: of the clearance. removed: something was taken away, check
    again. false_alarm: nothing is there; snapshots: view -> result_id of the live frame that the person looked at.
    """

    result_id: Name
    views: Annotated[tuple[ViewName, ...], Field(min_length=1, max_length=64)]
    action: Literal["removed", "false_alarm"]
    snapshots: dict[ViewName, Name] = Field({}, max_length=64)


class RecipeCommand(SignedByPerson):
    """Changeover: this product's recipes on every view, or on none."""

    product: Annotated[TopicLevel, Field(min_length=1)]


class ThresholdCommand(SignedByPerson):
    """Other thresholds for a view, within the band of its card, or a whole new card for it (docs/recipe.md)."""

    view: ViewName
    image_threshold: Number | None = None
    pixel_threshold: Number | None = None
    card: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        values = self.image_threshold is not None or self.pixel_threshold is not None
        if values == (self.card is not None):
            raise ValueError("write image_threshold, pixel_threshold or both, or else a card")
        return self


class MaskCommand(SignedByPerson):
    """Switch a named mask of a view on or off. The view is UNDECIDED(card_stale) until its thresholds fit again."""

    view: ViewName
    mask: Annotated[str, Field(min_length=1, max_length=80)]
    enabled: Truth


class CameraCommand(SignedByPerson):
    """Set a view's camera anew, within the limits of the station's config. What is not named stays as it is; settings null:
    all of it as in the config. The view is UNDECIDED meanwhile, and UNDECIDED(card_stale) where its thresholds do not fit then.
    """

    view: ViewName
    settings: Annotated[dict[FeatureName, Number], Field(min_length=1)] | None


class ReloadCommand(SignedByPerson):
    """Read the recipes of the product in force again: what was saved since comes into force."""


class SnapshotCommand(Command):
    """A frame of a view, judged and painted, now. keep: its evidence goes into the archive, whatever its outcome."""

    view: ViewName
    keep: Truth = False


class StateCommand(Command):
    """How the station is."""


class ArchiveCommand(Command):
    """Results of the archive, the newest first. since (included), until (excluded): times of decision."""

    view: ViewName | None = None
    batch: Name | None = None
    outcome: Annotated[Name, Field(max_length=40)] | None = None
    kind: Literal["verdict", "clearance"] | None = None
    since: Moment | None = None
    until: Moment | None = None
    limit: Annotated[Count, Field(ge=1, le=ARCHIVE_LIMIT)] = 50


@dataclass(frozen=True)
class Spec:
    """One command. acts: it changes something, so it is remembered on the disk and can be made to need a signature.

    resumes: what does it knows its own requests for ever, so it may be asked again after a restart.
    """

    model: type[Command]
    acts: bool = False
    resumes: bool = False


COMMANDS: Final[dict[str, Spec]] = {
    "clearance": Spec(ClearanceCommand, acts=True, resumes=True),
    "cancel": Spec(CancelCommand, acts=True),
    "challenge": Spec(ChallengeCommand, acts=True),
    "review": Spec(ReviewCommand, acts=True, resumes=True),
    "recipe": Spec(RecipeCommand, acts=True),
    "threshold": Spec(ThresholdCommand, acts=True),
    "mask": Spec(MaskCommand, acts=True),
    "camera": Spec(CameraCommand, acts=True),
    "reload": Spec(ReloadCommand, acts=True),
    "snapshot": Spec(SnapshotCommand, acts=True),
    "state": Spec(StateCommand),
    "archive": Spec(ArchiveCommand),
}
