"""Which verdicts count: those of this question, each from a frame of its own, by the parts that were looked at."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from edge.clearance.ballot import Ballot
from edge.settings.judging import VoteRule
from edge.types import Origin, Outcome, ReasonCode, Verdict, ViewParts, ViewResult
from tests.clearance.parts import START, judged

PARTS = ViewParts("cam", "aspirin", "front", 1, "bundle-0", "engine-1")
ORIGIN = Origin("front", 1, 1, START, "cam", "aspirin", "front", 1, "bundle-0", "engine-1")
TWO = VoteRule(frames=2, pass_votes=2, fail_votes=1)


def verdict(number: int, outcome: str = "PASS", **changes: Any) -> Verdict:
    origin = replace(ORIGIN, trigger=number, frame=number, **changes.pop("origin", {}))
    return replace(Verdict(f"v{number}", judged(outcome), origin, START, clearance_id="c1"), **changes)


def done(one: Verdict) -> Future[Verdict]:
    future: Future[Verdict] = Future()
    future.set_result(one)
    return future


def take(*futures: Future[Verdict], rule: VoteRule = TWO, timeout_s: float = 5.0) -> ViewResult:
    ballot = Ballot("c1", rule, timeout_s, time.monotonic() + 5, Future(), {"front": PARTS})
    (result,) = ballot.take(lambda view, frames, limit_s, asked_by: futures, ["front"], lambda counts: None)
    return result


def test_two_frames_of_their_own_pass() -> None:
    assert take(done(verdict(1)), done(verdict(2))).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (lambda: verdict(1, result_id="v2"), ReasonCode.INTERNAL),
        (lambda: verdict(2, origin={"grabbed_at": START}, clearance_id="c0"), ReasonCode.INTERNAL),
        (lambda: verdict(2, clearance_id=None), ReasonCode.INTERNAL),
        (lambda: replace(verdict(2), origin=replace(ORIGIN, frame=None)), ReasonCode.INTERNAL),
        (lambda: verdict(2, origin={"view": "back"}), ReasonCode.INTERNAL),
        (lambda: verdict(2, origin={"recipe_version": 2}), ReasonCode.RECIPE_INVALID),
        (lambda: verdict(2, origin={"product": "ibuprofen"}), ReasonCode.RECIPE_INVALID),
        (lambda: verdict(2, origin={"engine": "engine-2"}), ReasonCode.RECIPE_INVALID),
        (lambda: verdict(2, origin={"bundle": "bundle-1"}), ReasonCode.RECIPE_INVALID),
    ],
    ids=["one frame twice", "another clearance", "no clearance", "no frame", "another view", "version", "product", "engine",
         "bundle"],
)  # fmt: skip
def test_what_is_no_answer_to_this_question_makes_the_view_undecided(second: Callable[[], Verdict], code: ReasonCode) -> None:
    result = take(done(verdict(1)), done(second()))
    assert result.outcome is Outcome.UNDECIDED
    assert result.reason is not None
    assert result.reason.code is code


def test_a_camera_that_starts_again_may_count_from_the_beginning() -> None:
    later = verdict(1, result_id="v2", origin={"grabbed_at": START.replace(second=9)})
    assert take(done(verdict(1)), done(later)).outcome is Outcome.PASS


def test_frames_that_were_never_there_count_for_nothing_but_do_no_harm_to_a_fail() -> None:
    lost = replace(verdict(2, "frame_lost"), origin=replace(ORIGIN, frame=None, grabbed_at=None))
    assert take(done(verdict(1, "FAIL")), done(lost)).outcome is Outcome.FAIL
    result = take(done(verdict(1)), done(lost))
    assert result.reason is not None
    assert result.reason.code is ReasonCode.VOTE_SPLIT


def test_an_answer_that_was_cancelled_or_failed_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled: Future[Verdict] = Future()
    cancelled.cancel()
    failed: Future[Verdict] = Future()
    failed.set_exception(RuntimeError("the view's thread died"))
    for bad in (cancelled, failed):
        result = take(done(verdict(1)), bad)
        assert result.outcome is Outcome.UNDECIDED
        assert result.reason is not None
        assert result.reason.code is ReasonCode.FRAME_TIMEOUT
