"""Clearance, cancel, challenge and review: what `edge.clearance` does, as commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from edge.audit import Action
from edge.commands.base import Audit, Busy, Done, Handler, Handlers, Later, Objected, Occupied, Order, Outcome, Started
from edge.commands.orders import CancelCommand, ChallengeCommand, ClearanceCommand, ReviewCommand
from edge.commands.refusals import Refused
from edge.commands.results import Answered, Begun, Cancelled, Challenged, ChallengedView, Reason, Running
from edge.publishers.payloads import utc_text
from edge.types import ChallengeResult, Clearance
from edge.types import Reason as WhyNot


class KnownView(Protocol):
    """What a challenge found in one view: `edge.clearance.Challenged`."""

    @property
    def result(self) -> ChallengeResult | None:
        """What its frames gave."""
        ...

    @property
    def reason(self) -> WhyNot | None:
        """Why it does not stand."""
        ...


@dataclass(frozen=True, eq=False)
class Clearing:
    """The station's clearances. order, review: read what is asked and begin; ConfigError for what cannot be asked.

    cancel: (request_id, who). challenge: (request_id, who); it takes as long as it takes.
    """

    order: Callable[[Mapping[str, Any]], Started | Occupied | Objected]
    review: Callable[[Mapping[str, Any]], Started | Occupied | Objected]
    cancel: Callable[[str, str], bool]
    challenge: Callable[[str, str], Mapping[str, KnownView] | Occupied]


def clearing_handlers(clearing: Clearing, audit: Audit) -> Handlers:
    """The commands that ask for a clearance, or answer one."""
    asked = _Asked(clearing, audit)
    return {
        "clearance": Handler(asked.clearance),
        "cancel": Handler(asked.cancel),
        "challenge": Handler(asked.challenge, "long"),
        "review": Handler(asked.review),
    }


@dataclass(frozen=True, eq=False)
class _Asked:
    clearing: Clearing
    audit: Audit

    def clearance(self, order: Order) -> Outcome:
        command = order.as_(ClearanceCommand)
        fields = command.model_dump(include={"request_id", "batch", "product", "operator", "note"})
        return _outcome(self.clearing.order(fields))

    def review(self, order: Order) -> Outcome:
        command = order.as_(ReviewCommand)
        fields = command.model_dump(include={"request_id", "result_id", "views", "action", "who", "why", "snapshots"})
        action = Action.OVERRIDE if command.action == "false_alarm" else Action.COMMAND
        after = {"views": list(command.views), "action": command.action, "snapshots": dict(command.snapshots), **order.by}
        self.audit(action, who=command.who, subject=command.result_id, why=command.why, before=None, after=after)
        return _outcome(self.clearing.review(fields))

    def cancel(self, order: Order) -> Outcome:
        command = order.as_(CancelCommand)
        self.audit(
            Action.COMMAND, who=command.who, subject=f"clearance {command.cancels}", why="cancel", before=None, after=order.by
        )
        return Done(Cancelled(cancelled=self.clearing.cancel(command.cancels, command.who)))

    def challenge(self, order: Order) -> Outcome:
        command = order.as_(ChallengeCommand)
        self.audit(Action.CHALLENGE, who=command.who, subject="station", why="cmd/challenge", before=None, after=order.by)
        found = self.clearing.challenge(command.request_id, command.who)
        if isinstance(found, Occupied):
            return _busy(found)
        views = tuple(
            ChallengedView(
                view=name,
                passed=known.reason is None,
                images=len(known.result.images) if known.result is not None else 0,
                reason=Reason(code=known.reason.code.value, detail=known.reason.detail) if known.reason is not None else None,
            )
            for name, known in found.items()
        )
        return Done(Challenged(passed=all(view.passed for view in views), views=views))


def _outcome(accepted: Started | Occupied | Objected) -> Outcome:
    if isinstance(accepted, Started):
        begun = Begun(result_id=accepted.result_id, repeated=accepted.repeated)
        return Later(begun, accepted.answer, lambda clearance: _answered(clearance, accepted.repeated))
    if isinstance(accepted, Objected):
        raise Refused("refused", "; ".join(accepted.problems), problems=accepted.problems)
    return _busy(accepted)


def _answered(clearance: Clearance, repeated: bool) -> Done:
    return Done(
        Answered(
            result_id=clearance.result_id,
            sequence=clearance.sequence,
            outcome=clearance.outcome.value,
            repeated=repeated,
        )
    )


def _busy(running: Occupied) -> Busy:
    why = f"{running.request_id or 'another clearance'} is at work"
    started = utc_text(running.started)
    return Busy(why, Running(request_id=running.request_id, result_id=running.result_id, started=started))
