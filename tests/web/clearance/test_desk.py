"""The desk when the station is slow, busy, silent or refuses; the real station answers in test_line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from calibration.web.clearance.desk import Desk
from calibration.web.clearance.ledger import Ledger, Order, OrderState
from calibration.web.link import StationBusy, StationRefused, StationSilent
from tests.web.clearance.parts import until

NOW = datetime(2026, 11, 22, 4, 5, 6, tzinfo=timezone.utc)
ORDER = Order("page-1", "clearance", "otto", NOW, {"batch": "B1", "product": "aspirin"})
ANSWER = {"kind": "answered", "result_id": "clearance-1", "sequence": 1, "outcome": "CLEAR", "repeated": False}


@dataclass
class Station:
    """Says what it is told to say, when it is told to."""

    answer: Mapping[str, Any] | Exception = field(default_factory=lambda: dict(ANSWER))
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    begins: bool = True

    def ask(
        self, command: str, body: Mapping[str, Any], *, timeout_s: float = 10,
        progress: Callable[[Mapping[str, Any]], None] | None = None, request_id: str | None = None,
    ) -> Mapping[str, Any]:  # fmt: skip
        self.asked.append((command, request_id))
        assert "request_id" not in body
        if self.begins and progress is not None:
            progress({"status": "progress", "result": {"kind": "begun", "result_id": "clearance-1"}})
        assert self.may_answer.wait(timeout_s)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class Case:
    station: Station
    ledger: Ledger
    now: datetime = NOW
    found: str = ""
    heard: Mapping[str, Any] | None = field(default_factory=lambda: {"resultId": "clearance-1"})

    def desk(self) -> Desk:
        return Desk(
            self.station, self.ledger, lambda: self.heard, lambda _: self.found, whole_s=20, fresh_s=60, now=lambda: self.now
        )

    def state(self) -> OrderState:
        order = self.ledger.get("page-1")
        assert order is not None
        return order.state

    def settled(self) -> Order:
        def closed() -> Order | None:
            order = self.ledger.get("page-1")
            return order if order is not None and not order.is_open else None

        found = until(closed, "an answer")
        assert isinstance(found, Order)
        return found


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(Station(), Ledger(tmp_path))


def test_the_first_word_is_enough_to_go_on(case: Case) -> None:
    desk = case.desk()
    order = desk.place(ORDER)
    assert (order.state, order.result_id) == (OrderState.BEGUN, "clearance-1")
    case.station.may_answer.set()
    assert case.settled().state is OrderState.ANSWERED
    desk.close()
    assert case.ledger.document("clearance-1") == {"resultId": "clearance-1"}


def test_a_form_sent_twice_is_asked_once(case: Case) -> None:
    desk = case.desk()
    desk.place(ORDER)
    desk.place(ORDER)
    case.station.may_answer.set()
    case.settled()
    assert desk.place(ORDER).state is OrderState.ANSWERED
    assert case.station.asked == [("clearance", "page-1")]


@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        (StationBusy("plc-1 is at work", where="station", remedy="wait"), OrderState.BUSY, "plc-1 is at work"),
        (StationSilent("no answer in time"), OrderState.SILENT, "no answer"),
        (StationRefused("refused", "no", problems=("batch: is odd", "note: too")), OrderState.REFUSED, "batch: is odd"),
    ],
)
def test_what_the_station_says_is_told(case: Case, answer: Exception, state: OrderState, told: str) -> None:
    case.station.answer, case.station.begins = answer, False
    case.station.may_answer.set()
    desk = case.desk()
    order = desk.place(ORDER)
    desk.close()
    order = case.settled()
    assert order.state is state
    assert told in order.told[0]


def test_a_reply_that_was_lost_is_found_by_its_result(case: Case) -> None:
    case.station.answer, case.found = StationSilent("no answer in time"), "clearance-7"
    case.station.may_answer.set()
    desk = case.desk()
    desk.place(ORDER)
    order = case.settled()
    assert (order.state, order.result_id) == (OrderState.ANSWERED, "clearance-7")


def test_a_page_that_was_restarted_asks_for_the_answer_again(case: Case) -> None:
    case.ledger.begin(ORDER)
    case.ledger.note("page-1", OrderState.BEGUN, result_id="clearance-1")
    case.station.may_answer.set()
    case.now = NOW + timedelta(hours=1)  # it was begun, so the station has it: asking again does nothing twice
    desk = case.desk()
    desk.look("page-1")
    assert case.settled().state is OrderState.ANSWERED
    assert case.station.asked == [("clearance", "page-1")]


def test_an_order_that_perhaps_never_came_there_is_not_sent_later_by_itself(case: Case) -> None:
    case.ledger.begin(ORDER)
    case.now = NOW + timedelta(minutes=10)
    case.station.may_answer.set()
    desk = case.desk()
    order = desk.look("page-1")
    assert order is not None
    assert order.state is OrderState.SILENT
    assert case.station.asked == []
    desk.again("page-1")  # a person wants it so
    assert case.settled().state is OrderState.ANSWERED


def test_a_fresh_order_is_taken_up_again(case: Case) -> None:
    case.ledger.begin(ORDER)
    case.now = NOW + timedelta(seconds=5)
    case.station.may_answer.set()
    case.desk().look("page-1")
    assert case.settled().state is OrderState.ANSWERED


def test_an_answer_that_came_meanwhile_is_not_asked_for(case: Case) -> None:
    case.ledger.begin(ORDER)
    case.found = "clearance-3"
    order = case.desk().look("page-1")
    assert order is not None
    assert (order.state, order.result_id, case.station.asked) == (OrderState.ANSWERED, "clearance-3", [])


def test_what_nobody_asked_is_unknown(case: Case) -> None:
    assert case.desk().look("page-2") is None
    assert case.desk().again("page-2") is None
