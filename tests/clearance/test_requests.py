"""What may be asked, word for word: each problem in a line, nothing done for a request that is wrong."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clearance import ClearanceRequest, read_order, read_review
from edge.errors import ConfigError
from edge.schema import validate
from edge.settings.clearance import ChallengeConfig, ClearanceConfig

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=timezone.utc)
CONFIG = ClearanceConfig()
ORDER = {"request_id": "r1", "batch": "B1204", "product": "aspirin", "operator": "Anna", "note": "after cleaning"}
REVIEW = {
    "request_id": "v1",
    "result_id": "clearance-1",
    "views": ["front"],
    "action": "false_alarm",
    "who": "Chef",
    "why": "a reflection",
    "snapshots": {"front": "s1"},
}


def problems(changes: dict[str, Any], config: ClearanceConfig = CONFIG, products: set[str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read_order({**ORDER, **changes}, "cmd/clearance", config, NOW, products)
    return caught.value.problems


def test_a_sound_order_is_taken_as_it_is() -> None:
    order = read_order(ORDER, "cmd/clearance", CONFIG, NOW, {"aspirin", "ibuprofen"})
    assert order.request() == ClearanceRequest("r1", "B1204", "aspirin", "Anna", "after cleaning")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch": "a/b"}, "batch: contains '/'"),
        ({"batch": "a\nb"}, "batch: contains '\\n', which cannot be seen"),
        ({"batch": "x" * 4096}, "batch: String should have at most 128 characters"),
        ({"batch": ""}, "batch: is empty"),
        ({"batch": " B1"}, "batch: has blanks around it"),
        ({"batch": 7}, "batch: Input should be a valid string"),
        ({"product": "a/b"}, "product: "),
        ({"product": ".."}, "product: '..' cannot be a folder's name"),
        ({"product": "x" * 81}, "product: "),
        ({"request_id": ""}, "request_id: is empty"),
        ({"request_id": "x" * 129}, "request_id: "),
        ({"operator": "a\tb"}, "operator: contains '\\t'"),
        ({"note": "x" * 2001}, "note: "),
        ({"requested_at": "2026-11-22T06:00:00"}, "requested_at: "),
        ({"requested_at": "2026-11-22T07:00:00Z"}, "requested_at: is 3600 s in the future: set both clocks"),
        ({"requested_at": "2026-11-22T05:00:00Z"}, "requested_at: the order is 3600 s old, at most 60 s"),
        ({"force": True}, "force: unknown key"),
    ],
)
def test_each_problem_is_one_line(changes: dict[str, Any], said: str) -> None:
    (problem,) = problems(changes)
    assert problem.startswith(f"cmd/clearance: {said}")
    assert "\n" not in problem
    assert len(problem) < 300


def test_all_problems_are_said_at_once() -> None:
    assert len(problems({"batch": "", "product": "", "request_id": "\n"})) == 3
    strict = ClearanceConfig(operator="required")
    late = {"operator": " ", "requested_at": "2026-11-23T06:00:00Z", "product": "iboprufen"}
    assert [line.split(": ")[1] for line in problems(late, strict, {"aspirin"})] == ["requested_at", "operator", "product"]


def test_a_product_that_is_not_there_is_named_with_those_that_are() -> None:
    (problem,) = problems({"product": "iboprufen"}, products={"ibuprofen", "aspirin"})
    assert problem == "cmd/clearance: product: there is no recipe for 'iboprufen': there are aspirin, ibuprofen"


def test_an_order_of_just_now_is_taken() -> None:
    for seconds in (-4, 0, 59):
        moment = (NOW - timedelta(seconds=seconds)).isoformat()
        assert read_order({**ORDER, "requested_at": moment}, "x", CONFIG, NOW).batch == "B1204"


@given(text=st.text(max_size=300))
def test_what_is_taken_reads_the_same_for_everybody(text: str) -> None:
    try:
        order = read_order({**ORDER, "batch": text}, "x", CONFIG, NOW)
    except ConfigError as error:
        assert all("\n" not in line for line in error.problems)
    else:
        assert order.batch == text
        assert text.isprintable()
        assert text.strip() == text != ""
        assert "/" not in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"views": []}, "views: "),
        ({"views": ["front", "front"], "snapshots": {"front": "s"}}, "views: named twice: front"),
        ({"snapshots": {}}, "snapshots: missing for front: look at the live frame first"),
        ({"action": "ignore"}, "action: "),
        ({"who": " "}, "who: is empty"),
        ({"why": ""}, "why: is empty"),
        ({"requested_at": "2026-11-22T09:00:00Z"}, "requested_at: is 10800 s in the future"),
    ],
)
def test_a_review_that_says_too_little_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_review({**REVIEW, **changes}, "cmd/review", CONFIG, NOW)
    (problem,) = caught.value.problems
    assert problem.startswith(f"cmd/review: {said}")


def test_who_removed_something_needs_no_snapshot() -> None:
    order = read_review({**REVIEW, "action": "removed", "snapshots": {}}, "cmd/review", CONFIG, NOW)
    assert (order.action, order.views) == ("removed", ("front",))


def test_the_whole_cannot_be_shorter_than_a_view() -> None:
    with pytest.raises(ConfigError, match="write 10 or more"):
        validate(ClearanceConfig, {"timeout_s": 10, "total_timeout_s": 5}, "station.yaml: clearance")
    with pytest.raises(ConfigError, match="required"):
        validate(ClearanceConfig, {"challenge": {"required": "sometimes"}}, "station.yaml: clearance")
    assert ChallengeConfig().required == "never"
