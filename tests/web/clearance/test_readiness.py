"""Whether a clearance is taken, and why not."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from calibration.web.clearance.readiness import readiness
from calibration.web.link.mirror import StationNow

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
READY = {"status": "ready", "reason": "", "views": []}
STOPPED = {"state": "stopped", "requestId": None, "sequence": 3, "views": []}
FREE = {"state": "ready", "requestId": None, "batch": None, "sequence": 3, "views": []}


def station(**changes: Any) -> StationNow:
    fields: dict[str, Any] = {
        "connected": True, "why": "", "heard_at": NOW, "state": READY, "health": None, "views": {}, "clearance_state": FREE,
        "clearance": None, "alarms": {}, **changes,
    }  # fmt: skip
    return StationNow(**fields)


def codes(now: StationNow, *, may_ask: bool = True) -> list[str]:
    return [each.code for each in readiness(now, NOW, interval_s=10, may_ask=may_ask).hindrances]


def test_a_station_that_is_ready_takes_a_clearance() -> None:
    assert codes(station()) == []
    assert readiness(station(), NOW, interval_s=10, may_ask=True).is_ready


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"connected": False, "why": "no_host"}, ["no_connection"]),
        ({"state": None}, ["nothing_heard"]),
        ({"heard_at": NOW - timedelta(seconds=41)}, ["silent"]),
        ({"state": {"status": "starting", "reason": "r"}}, ["starting"]),
        ({"state": {"status": "safe_mode", "reason": "r"}}, ["safe_mode"]),
        ({"state": {"status": "offline", "reason": "r"}, "clearance_state": STOPPED}, ["offline", "takes_none"]),
        ({"state": {"status": "degraded", "reason": "r"}}, ["degraded"]),
        ({"clearance_state": None}, ["takes_none"]),
        ({"clearance_state": {**FREE, "state": "frames", "requestId": "plc-1", "batch": "B1"}}, ["running"]),
    ],
)  # fmt: skip
def test_else_it_says_why(changes: dict[str, Any], expected: list[str]) -> None:
    assert codes(station(**changes)) == expected


def test_each_view_that_blocks_is_named() -> None:
    views = [{"view": "nest", "ready": False, "reason": "camera lost"}, {"view": "feeder", "ready": True, "reason": ""}]
    found = readiness(station(state={"status": "degraded", "reason": "r", "views": views}), NOW, interval_s=10, may_ask=True)
    assert [(each.code, each.values["view"]) for each in found.hindrances] == [("view_blocked", "nest")]


def test_the_running_one_is_named() -> None:
    running = {**FREE, "state": "challenge", "requestId": "page-1", "batch": "B1"}
    assert readiness(station(clearance_state=running), NOW, interval_s=10, may_ask=True).running == "page-1"


def test_a_page_without_the_right_says_so() -> None:
    assert codes(station(), may_ask=False) == ["client_no_right"]
