import itertools

import pytest

from edge.settings.judging import VoteRule
from edge.types import ClearanceOutcome, Judgement, Outcome, Reason, ReasonCode, ViewResult
from edge.verdict import clear, undecided, vote

PASS, FAIL = Judgement(Outcome.PASS, score=0.0), Judgement(Outcome.FAIL, score=2.0)
LOST = undecided(ReasonCode.CAMERA_LOST, "unplugged")
STALE = undecided(ReasonCode.CARD_STALE, "masks changed")
TWO_OF_THREE = VoteRule(frames=3, pass_votes=2, fail_votes=2)


@pytest.mark.parametrize(
    ("judgements", "outcome", "code"),
    [
        ([PASS, PASS, FAIL], Outcome.PASS, None),
        ([PASS, FAIL, FAIL], Outcome.FAIL, None),
        ([PASS, LOST, FAIL], Outcome.UNDECIDED, ReasonCode.VOTE_SPLIT),
        ([PASS, LOST, STALE], Outcome.UNDECIDED, ReasonCode.VOTE_SPLIT),
        ([LOST, STALE, LOST], Outcome.UNDECIDED, ReasonCode.CAMERA_LOST),
        ([PASS, LOST, PASS], Outcome.PASS, None),
        ([PASS], Outcome.UNDECIDED, ReasonCode.VOTE_SPLIT),
        ([], Outcome.UNDECIDED, ReasonCode.FRAME_LOST),
    ],
)
def test_two_of_three(judgements, outcome, code):
    decided, reason = vote(judgements, TWO_OF_THREE)
    assert decided is outcome
    assert (reason.code if reason else None) is code


def test_a_split_vote_tells_the_count_and_the_first_reason():
    _, reason = vote([PASS, LOST, FAIL], TWO_OF_THREE)
    assert reason.detail == "1 pass (needs 2), 1 fail (needs 2), 1 undecided, first: camera_lost: unplugged"


@pytest.mark.parametrize(
    ("frames", "pass_votes", "fail_votes"), [(1, 1, 1), (3, 2, 2), (3, 3, 1), (3, 1, 3), (5, 3, 3), (4, 3, 2)]
)
def test_over_every_combination_the_rule_holds(frames, pass_votes, fail_votes):
    rule = VoteRule(frames=frames, pass_votes=pass_votes, fail_votes=fail_votes)
    for judgements in itertools.product([PASS, FAIL, LOST], repeat=frames):
        outcome, reason = vote(judgements, rule)
        assert (outcome is Outcome.PASS) == (judgements.count(PASS) >= pass_votes)
        assert (outcome is Outcome.FAIL) == (judgements.count(FAIL) >= fail_votes)
        assert (outcome is Outcome.UNDECIDED) == (reason is not None)


def view(name: str, outcome: Outcome) -> ViewResult:
    reason = Reason(ReasonCode.CAMERA_LOST, "") if outcome is Outcome.UNDECIDED else None
    return ViewResult(name, outcome, reason, ())


def test_over_every_combination_clear_needs_every_expected_view_to_pass():
    views = ["front", "left", "top"]
    for outcomes in itertools.product([*Outcome, None], repeat=3):
        results = [view(name, outcome) for name, outcome in zip(views, outcomes, strict=True) if outcome is not None]
        decided = clear(results, views)
        assert (decided is ClearanceOutcome.CLEAR) == all(outcome is Outcome.PASS for outcome in outcomes)
        assert (decided is ClearanceOutcome.NOT_CLEAR) == (Outcome.FAIL in outcomes)


def test_a_view_twice_a_strange_view_or_no_view_is_not_clear():
    front = view("front", Outcome.PASS)
    assert clear([front, front], ["front"]) is ClearanceOutcome.UNDECIDED
    assert clear([front, view("other", Outcome.PASS)], ["front"]) is ClearanceOutcome.UNDECIDED
    assert clear([], []) is ClearanceOutcome.UNDECIDED
    assert clear([front], ["front"]) is ClearanceOutcome.CLEAR
