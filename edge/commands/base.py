"""Words of the commands: what was asked, what may come of it, and who takes part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from edge.audit import Action
from edge.commands.orders import Command
from edge.commands.results import Result, Running
from edge.types import Clearance

CommandT = TypeVar("CommandT", bound=Command)
LaneName = Literal["quick", "query", "long"]


@dataclass(frozen=True)
class Order:
    """A command that was taken: it is well-formed, fresh, new, and its client may ask for it."""

    name: str
    command: Command
    may_release: bool = False

    def as_(self, model: type[CommandT]) -> CommandT:
        """The command as what its name says that it is."""
        if not isinstance(self.command, model):
            raise TypeError(f"cmd/{self.name} is no {model.__name__}")
        return self.command

    def signed_why(self, why: str) -> str:
        """The reason with whose command it was, for entries that have no other place for it."""
        return f"{why} (cmd/{self.name} {self.request_id} of {self.client})"

    @property
    def by(self) -> dict[str, str]:
        """Who asked under which name, for the audit log."""
        return {"client": self.client, "request_id": self.request_id}

    @property
    def client(self) -> str:
        """Who asks."""
        return self.command.client

    @property
    def request_id(self) -> str:
        """Under which name."""
        return self.command.request_id


@dataclass(frozen=True)
class Done:
    """It is done."""

    result: Result


@dataclass(frozen=True)
class Busy:
    """Something else is at work; nothing was done, and the same request may be sent again."""

    why: str
    running: Running | None = None


@dataclass(frozen=True, eq=False)
class Later:
    """It is begun. begun: said now. answer: when it is done; then: what is said of it."""

    begun: Result
    answer: Future[Any]
    then: Callable[[Any], Done | Busy]


Outcome = Done | Busy | Later


@dataclass(frozen=True, eq=False)
class Handler:
    """What does a command, and beside which others it waits: `long` may take minutes, `query` seconds, `quick` nothing."""

    run: Callable[[Order], Outcome]
    lane: LaneName = "quick"


Handlers = Mapping[str, Handler]


class Audit(Protocol):
    """`Trail.change`, `AuditLog.append`: what it raises stops the change."""

    def __call__(self, action: Action, *, who: str, subject: str, why: str, before: Any, after: Any) -> object:
        """Record a change before it is made."""
        ...


@runtime_checkable
class Started(Protocol):
    """A clearance that was taken: `edge.clearance.Handle`."""

    @property
    def result_id(self) -> str:
        """The identity that its result has."""
        ...

    @property
    def answer(self) -> Future[Clearance]:
        """Gets its result."""
        ...

    @property
    def repeated(self) -> bool:
        """It was asked before, and is done once."""
        ...


@runtime_checkable
class Occupied(Protocol):
    """Another one is at work: `edge.clearance.ClearanceBusy`."""

    @property
    def request_id(self) -> str:
        """Which."""
        ...

    @property
    def result_id(self) -> str:
        """The identity that its result will have."""
        ...

    @property
    def started(self) -> datetime:
        """Since when."""
        ...


@runtime_checkable
class Objected(Protocol):
    """Nothing was done: `edge.clearance.ClearanceRefused`."""

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for each thing that is wrong."""
        ...
