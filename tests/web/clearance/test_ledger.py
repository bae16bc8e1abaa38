"""What was asked is remembered: once per form, over restarts, and an answer is never lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from calibration.web.clearance.ledger import Ledger, Order, OrderConflict, OrderState
from edge.errors import LineclearError

WHEN = datetime(2026, 11, 22, 4, 5, 6, 123456, tzinfo=timezone.utc)
ORDER = Order("page-1", "clearance", "otto", WHEN, {"batch": "B1", "product": "aspirin"})


def test_the_same_form_is_one_order_also_after_a_restart(tmp_path: Path) -> None:
    assert Ledger(tmp_path).begin(ORDER) == ORDER
    later = replace(ORDER, asked_at=WHEN + timedelta(seconds=9), asked_by="otto")
    assert Ledger(tmp_path).begin(later) == ORDER
    assert Ledger(tmp_path).get("page-1") == ORDER
    assert Ledger(tmp_path).get("page-2") is None


def test_the_same_form_with_other_contents_is_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.begin(ORDER)
    with pytest.raises(OrderConflict, match="B1"):
        ledger.begin(replace(ORDER, body={"batch": "B2", "product": "aspirin"}))
    with pytest.raises(OrderConflict):
        ledger.begin(replace(ORDER, kind="review"))


def test_an_answer_is_never_taken_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.begin(ORDER)
    ledger.note("page-1", OrderState.BEGUN, result_id="clearance-1")
    ledger.note("page-1", OrderState.ANSWERED, result_id="clearance-1")
    ledger.note("page-1", OrderState.SILENT, told=("no answer",))
    found = ledger.get("page-1")
    assert found is not None
    assert (found.state, found.result_id, found.told) == (OrderState.ANSWERED, "clearance-1", ())
    assert not found.is_open
    assert ledger.note("page-9", OrderState.BUSY) is None


def test_what_the_station_said_is_kept(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.begin(ORDER)
    ledger.note("page-1", OrderState.REFUSED, told=("batch: is empty", "product: is empty"))
    found = ledger.get("page-1")
    assert found is not None
    assert found.told == ("batch: is empty", "product: is empty")


def test_the_clearance_is_kept_with_the_order(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.begin(ORDER)
    ledger.note("page-1", OrderState.ANSWERED, result_id="clearance-1")
    assert ledger.document("clearance-1") is None
    ledger.keep("page-1", {"resultId": "clearance-1", "outcome": "CLEAR"})
    assert ledger.document("clearance-1") == {"resultId": "clearance-1", "outcome": "CLEAR"}


def test_it_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calibration.web.clearance.ledger._KEPT", 3)
    ledger = Ledger(tmp_path)
    for number in range(5):
        ledger.begin(replace(ORDER, request_id=f"page-{number}", asked_at=WHEN + timedelta(seconds=number)))
    assert [number for number in range(5) if ledger.get(f"page-{number}")] == [2, 3, 4]


def test_what_cannot_be_remembered_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(LineclearError, match="cannot remember"):
        Ledger(tmp_path / "file").begin(ORDER)
