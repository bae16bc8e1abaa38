"""Fresh frames of every view, and what their votes make of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import Any

from edge.clearance.base import Ask
from edge.settings.judging import VoteRule
from edge.types import Outcome, Reason, ReasonCode, Verdict, ViewParts, ViewResult
from edge.verdict import vote

GRACE_S = 2.0
"""How long a clearance waits beyond its time-out for verdicts that the station is already making."""

Told = Callable[[Mapping[str, int]], None]
"""Hears how many frames of each view have their verdict."""


@dataclass(frozen=True, eq=False)
class Ballot:
    """One round of questions. parts: what each view was made of when the clearance looked; it must still be that.

    deadline: monotonic seconds, for the whole clearance. stop: ends it when done.
    """

    clearance_id: str
    rule: VoteRule
    timeout_s: float
    deadline: float
    stop: Future[Any]
    parts: Mapping[str, ViewParts]

    def take(self, ask: Ask, views: Sequence[str], told: Told) -> tuple[ViewResult, ...]:
        """All views are asked at once; one result per view, UNDECIDED where an answer is missing or not to be believed."""
        until = min(time.monotonic() + self.timeout_s, self.deadline)
        timeout_s = max(0.0, until - time.monotonic())
        asked = {view: ask(view, self.rule.frames, timeout_s, self.clearance_id) for view in views}
        self._await(asked, until + GRACE_S, told)
        return tuple(self._view(view, asked[view]) for view in views)

    def _await(self, asked: Mapping[str, tuple[Future[Verdict], ...]], until: float, told: Told) -> None:
        waiting: set[Future[Any]] = {future for futures in asked.values() for future in futures}
        while waiting and not self.stop.done():
            left_s = until - time.monotonic()
            if left_s <= 0:
                return
            done, _ = wait([*waiting, self.stop], timeout=left_s, return_when=FIRST_COMPLETED)
            waiting -= done
            told({view: sum(future.done() for future in futures) for view, futures in asked.items()})

    def _view(self, view: str, futures: tuple[Future[Verdict], ...]) -> ViewResult:
        answered = [future for future in futures if future.done() and not future.cancelled() and future.exception() is None]
        verdicts = tuple(future.result() for future in answered)
        parts = self.parts.get(view)
        outcome, reason = vote([verdict.judgement for verdict in verdicts], self.rule)
        result = ViewResult(view, outcome, reason, verdicts, parts)
        doubt = self._doubt(view, verdicts)
        if doubt is None and len(verdicts) < self.rule.frames and outcome is not Outcome.FAIL:
            detail = f"{len(verdicts)} of {self.rule.frames} verdicts within {self.timeout_s:g} s"
            doubt = Reason(ReasonCode.FRAME_TIMEOUT, detail)
        return result if doubt is None else replace(result, outcome=Outcome.UNDECIDED, reason=doubt)

    def _doubt(self, view: str, verdicts: Sequence[Verdict]) -> Reason | None:
        """Why these are no answers to this question by the parts that were looked at, None if they are."""
        for verdict in verdicts:
            if verdict.view != view or verdict.clearance_id != self.clearance_id:
                return Reason(ReasonCode.INTERNAL, f"verdict {verdict.result_id} answers another question: see the log")
        seen = [(verdict.origin.frame, verdict.origin.grabbed_at) for verdict in verdicts if verdict.origin.frame is not None]
        if len(set(seen)) < len(seen):
            return Reason(ReasonCode.INTERNAL, "the camera gave one frame for two: each vote needs a frame of its own")
        if any(verdict.outcome is not Outcome.UNDECIDED and verdict.origin.frame is None for verdict in verdicts):
            return Reason(ReasonCode.INTERNAL, "a verdict names no frame that it was made from: see the log")
        known = self.parts.get(view)
        for origin in (verdict.origin for verdict in verdicts) if known is not None else ():
            now = (origin.product, origin.recipe, origin.recipe_version, origin.bundle, origin.engine)
            then = (known.product, known.recipe, known.recipe_version, known.bundle, known.engine) if known else ()
            if now != then:
                return Reason(ReasonCode.RECIPE_INVALID, "the recipe was changed while the clearance ran: ask again")
        return None
