"""A clearance as its page tells it: each view with the frame that stands for it, and only views that this person may see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from calibration.web.clearance.known import Known
from edge.types import ChallengeResult, Outcome, Reason, ReasonCode, Release, Verdict, ViewResult


@dataclass(frozen=True)
class Told:
    """A reason: its code, for the page's own words, and the station's sentence ("" where it names what this person may not
    see).
    """

    code: str
    detail: str


@dataclass(frozen=True, eq=False)
class ViewTold:
    """One view of a clearance. frame: the verdict that is shown for it, "" without one; frames: all of them."""

    name: str
    outcome: str
    reason: Told | None
    frame: str
    frames: tuple[Verdict, ...]
    release: Release | None
    challenge: ChallengeResult | None
    result: ViewResult

    @property
    def is_open(self) -> bool:
        """It did not pass, and nobody has answered for it."""
        return self.outcome != Outcome.PASS.value and self.release is None


@dataclass(frozen=True, eq=False)
class ClearanceTold:
    """views: those that this person may see, what did not pass first. hidden: how many there are beside them, and how many of
    those did not pass.
    """

    reasons: tuple[Told, ...]
    views: tuple[ViewTold, ...]
    hidden: int
    hidden_open: int


def told_of(known: Known, may_see: Callable[[str], bool], chosen: Iterable[str] = ()) -> ClearanceTold:
    """chosen: result_ids of frames that shall be shown instead of the worst of their view."""
    views = known.clearance.views
    seen = [view for view in views if may_see(view.view)]
    unseen = [view for view in views if not may_see(view.view)]
    names = [view.view for view in unseen]
    wanted = frozenset(chosen)
    told = [_view(view, names, wanted) for view in seen]
    told.sort(key=lambda view: not view.is_open)
    reasons = tuple(_told(reason, names) for reason in known.clearance.reasons)
    hidden_open = sum(view.outcome is not Outcome.PASS and view.release is None for view in unseen)
    return ClearanceTold(reasons, tuple(told), len(unseen), hidden_open)


def standing(view: ViewResult, chosen: frozenset[str] = frozenset()) -> Verdict | None:
    """The frame that stands for a view: the chosen one, else the worst of those that ended as the view did."""

    def rank(verdict: Verdict) -> tuple[bool, bool, float]:
        return verdict.result_id in chosen, verdict.outcome is view.outcome, verdict.judgement.score or 0.0

    return max(view.verdicts, key=rank, default=None)


def _view(view: ViewResult, hidden: list[str], chosen: frozenset[str]) -> ViewTold:
    shown = standing(view, chosen)
    return ViewTold(
        view.view,
        view.outcome.value,
        _told(view.reason, hidden) if view.reason is not None else None,
        shown.result_id if shown is not None else "",
        view.verdicts,
        view.release,
        view.challenge,
        view,
    )


def _told(reason: Reason, hidden: list[str]) -> Told:
    """A station that is not fit says why for every view, also for those that this person may not see."""
    names_hidden = reason.code is ReasonCode.NOT_FIT and bool(hidden)
    names_hidden = names_hidden or any(name in reason.detail for name in hidden)
    return Told(reason.code.value, "" if names_hidden else reason.detail)
