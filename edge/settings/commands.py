"""Settings of commands over MQTT: who may ask for what, how it is proven, and how much may be asked at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from edge.schema import Closed
from edge.settings.mqtt import TopicLevel

CommandName = Literal[
    "clearance", "cancel", "challenge", "review", "recipe", "threshold", "mask", "camera", "reload", "snapshot",
    "state", "archive",
]  # fmt: skip
Right = Literal[
    "clearance",
    "cancel",
    "challenge",
    "review",
    "recipe",
    "threshold",
    "mask",
    "camera",
    "reload",
    "snapshot",
    "state",
    "archive",
    "release",
    "card",
]
PersonRight = Literal["release"]
RoleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]

READER: Final[tuple[Right, ...]] = ("state", "snapshot", "archive")
OPERATOR: Final[tuple[Right, ...]] = (*READER, "clearance", "cancel", "challenge", "review", "recipe")
ROLES: Final[dict[str, tuple[Right, ...]]] = {
    "reader": READER,
    "operator": OPERATOR,
    "releaser": (*OPERATOR, "release"),
    "technician": (*OPERATOR, "threshold", "mask", "camera", "reload"),
    "calibrator": (*OPERATOR, "threshold", "mask", "camera", "reload", "card"),
}
"""The roles that there always are. Nobody has all rights by a role: who sets thresholds should not also release."""

_RIGHTS: Final[frozenset[str]] = frozenset((*ROLES["releaser"], *ROLES["calibrator"]))


class CommandSettings(Closed):
    """Commands from outside.

    rights: client -> roles and single rights; who is not named has none. None: whoever the broker lets publish has the
    role `operator`. roles: more roles than the usual ones. people: who may release views, by the name in a review.
    signatures: which commands must be signed (acting: those that change something); one that is signed is always checked.
    keys_file: a line `client:key` each, 64 hexadecimal digits or more, chmod 600. max_age_s, ahead_s: how far `sent_at`
    may lie behind and before the station's clock. per_s, burst: messages that are looked at; more are dropped. waiting:
    how many may wait. remember: how many acting commands are remembered, on the disk, so that none is done twice.
    threshold_headroom: how far a threshold may be set above the highest good score, in ranges of the good scores.
    """

    enabled: bool = True
    rights: dict[TopicLevel, tuple[str, ...]] | None = Field(None, max_length=200)
    roles: dict[RoleName, tuple[Right, ...]] = Field({}, max_length=50)
    people: dict[str, tuple[PersonRight, ...]] = Field({}, max_length=1000)
    signatures: Literal["never", "acting", "always"] = "never"
    keys_file: Path | None = None
    max_age_s: float = Field(30.0, gt=0, le=86400)
    ahead_s: float = Field(5.0, ge=0, le=600)
    per_s: float = Field(50.0, gt=0, le=100_000)
    burst: int = Field(100, ge=1, le=100_000)
    waiting: int = Field(64, ge=1, le=10_000)
    remember: int = Field(10_000, ge=100, le=1_000_000)
    threshold_headroom: float = Field(1.0, ge=0, le=10)

    @model_validator(mode="after")
    def _keys_where_signed(self) -> Self:
        if self.signatures != "never" and self.keys_file is None:
            raise ValueError(f"signatures {self.signatures!r} needs keys_file: name the file of the clients' keys")
        return self

    @model_validator(mode="after")
    def _roles_are_known(self) -> Self:
        taken = sorted(set(self.roles) & (set(ROLES) | _RIGHTS))
        if taken:
            raise ValueError(f"roles: {', '.join(taken)} is a word of its own: name the role otherwise")
        known = {*ROLES, *self.roles, *_RIGHTS}
        for client, names in (self.rights or {}).items():
            unknown = [name for name in names if name not in known]
            if unknown:
                raise ValueError(
                    f"rights: {client}: {', '.join(unknown)} is neither role nor right: {', '.join(sorted(known))}"
                )
        return self

    def rights_of(self, client: str) -> frozenset[str]:
        """What this client may ask for."""
        if self.rights is None:
            return frozenset(OPERATOR)
        found: set[str] = set()
        for name in self.rights.get(client, ()):
            found.update(self.roles.get(name) or ROLES.get(name) or (name,))
        return frozenset(found)

    def person_may(self, who: str, right: str) -> bool:
        """Whether the person of this name has the right; nobody has one by default."""
        return right in self.people.get(who, ())
