from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.archive import ArchiveReader, Purge, verify
from edge.archive.ages import HOLD_S, AgeClock
from edge.archive.evidence import Evidence
from edge.archive.packing import pack
from edge.archive.retention import Retention
from edge.archive.store import Store
from edge.audit import Action, AuditError, AuditLog, entries
from tests.archive.samples import START, bare, evidence, files, running, settings, store, until

DAY = timedelta(days=1)


class Clock:
    """A wall clock for tests."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def retaining(
    folder: Path, clock: Clock, *evidence: Evidence, **changes: Any
) -> Iterator[tuple[Store, Retention, list[Purge]]]:
    told: list[Purge] = []
    with store(folder) as opened:
        for one in evidence:
            opened.write(pack(one, None))
        opened.commit()
        yield opened, Retention(opened, settings(**changes), clock, told.append), told


def aged(days: float, number: int, **changes: Any) -> Evidence:
    return bare(number, decided_at=START - timedelta(days=days), **changes)


def kept(folder: Path) -> set[str]:
    return {entry.result_id for entry in ArchiveReader(folder).find()}


def test_each_kind_is_kept_as_long_as_its_rule_says(tmp_path: Path) -> None:
    kinds: list[dict[str, Any]] = [
        {"outcome": "PASS"},
        {"outcome": "UNDECIDED"},
        {"outcome": "FAIL"},
        {"outcome": "PASS", "clearance_id": "c"},
        {"kind": "clearance", "outcome": "NOT_CLEAR"},
    ]
    days = [10, 20, 40, 80, 80]
    young = [aged(limit - 0.01, n, **kinds[n]) for n, limit in enumerate(days)]
    old = [aged(limit + 0.01, n + 10, **kinds[n]) for n, limit in enumerate(days)]
    limits = {"pass_days": 10, "undecided_days": 20, "fail_days": 40, "clearance_days": 80}
    with retaining(tmp_path, Clock(), *young, *old, keep=limits) as (opened, retention, told):
        assert not retention.by_age(0.0)
        assert kept(tmp_path) == {one.result_id for one in young}
        assert opened.results == 5
    assert {purge.why for purge in told} == {"age"}
    assert [dict(purge.results) for purge in told] == [{"pass": 1}, {"undecided": 1}, {"fail": 1}, {"clearance": 2}]
    assert {row["result_id"]: row["why"] for row in ArchiveReader(tmp_path).purged()} == {one.result_id: "age" for one in old}
    assert list(verify(ArchiveReader(tmp_path))) == []


def test_what_was_deleted_is_told_first_with_what_and_from_when(tmp_path: Path) -> None:
    with retaining(tmp_path, Clock(), aged(50, 1, outcome="PASS"), aged(40, 2, outcome="PASS")) as (opened, retention, told):
        size = opened.size_bytes
        retention.by_age(0.0)
    (purge,) = told
    assert (purge.oldest, purge.newest, purge.size_bytes) == (START - 50 * DAY, START - 40 * DAY, size)
    assert purge.document() == {
        "results": {"pass": 2},
        "size_bytes": size,
        "oldest": "2026-10-03T07:15:03.123000+00:00",
        "newest": "2026-10-13T07:15:03.123000+00:00",
    }


def test_a_deletion_that_cannot_be_told_is_not_done(tmp_path: Path) -> None:
    def refuse(_: Purge) -> None:
        raise AuditError("cannot be written", where="audit")

    with running(tmp_path, on_purge=refuse) as archive:
        archive.submit(aged(50, 1, outcome="PASS"))
        archive.submit(bare(2))
        until(lambda: archive.health()["archive.stored"] == 2)
    with running(tmp_path, on_purge=refuse) as archive:
        until(lambda: archive.alarm is not None)
        assert archive.alarm == "old evidence is not deleted: audit: cannot be written"
    assert kept(tmp_path) == {"result-1", "result-2"}
    with running(tmp_path) as archive:
        until(lambda: archive.health()["archive.purged"] == 1)
        assert archive.alarm is None
    assert kept(tmp_path) == {"result-2"}


def test_deletions_stand_in_the_audit_log(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit")

    def tell(purge: Purge) -> None:
        log.append(Action.PURGE, who="archive", subject="archive", why=purge.why, after=purge.document())

    with running(tmp_path / "archive", on_purge=tell) as archive:
        archive.submit(aged(31, 1, outcome="PASS"))
        until(lambda: archive.health()["archive.stored"] == 1)
    with running(tmp_path / "archive", on_purge=tell) as archive:
        until(lambda: archive.health()["archive.purged"] == 1)
    (entry,) = entries(tmp_path / "audit")
    assert (entry.action, entry.why, entry.after["results"]) == (Action.PURGE, "age", {"pass": 1})


def test_many_old_results_go_in_bites(in_memory: Path) -> None:
    given = [aged(100, n, outcome="PASS") for n in range(1200)]
    with retaining(in_memory, Clock(), *given) as (opened, retention, _):
        assert retention.by_age(0.0)
        assert opened.results == 200
        assert not retention.by_age(0.0)
        assert (opened.results, files(in_memory)) == (0, [])


def test_for_space_the_oldest_pass_goes_first_and_a_clearance_never(tmp_path: Path) -> None:
    outcomes = [*["FAIL"] * 40, *["PASS"] * 40, *["UNDECIDED"] * 40]
    given = [bare(n, outcome=outcome) for n, outcome in enumerate(outcomes)]
    cleared = [bare(900 + n, outcome="FAIL", clearance_id="c", decided_at=START - 500 * DAY) for n in range(40)]
    with retaining(tmp_path, Clock(), *cleared, *given) as (opened, retention, told):
        seen: list[str] = []
        for limit in range(opened.size_bytes, 0, -3000):
            retention._settings = settings(max_bytes=limit)
            retention.hold_floor()
            seen.append(
                "".join(sorted({entry.outcome[0] for entry in ArchiveReader(tmp_path).find() if not entry.clearance_id}))
            )
        assert kept(tmp_path) == {one.result_id for one in cleared}
    assert sorted(set(seen), key=seen.index) == ["FPU", "FU", "F", ""]
    assert [next(iter(purge.results)) for purge in told] == sorted(
        (next(iter(purge.results)) for purge in told), key=["pass", "undecided", "fail"].index
    )
    assert {purge.why for purge in told} == {"space"}


@pytest.mark.parametrize("keep", ["pass", "undecided", "fail", "clearance"])
def test_new_evidence_displaces_only_what_is_worth_no_more(tmp_path: Path, keep: Any) -> None:
    given = [bare(n, outcome=outcome) for n, outcome in enumerate(["PASS", "UNDECIDED", "FAIL"])]
    with retaining(tmp_path, Clock(), *given, bare(9, kind="clearance"), max_bytes=1) as (_, retention, _):
        assert not retention.make_room(keep, [100])
    order = {"pass": {"result-0"}, "undecided": {"result-0", "result-1"}, "fail": {"result-0", "result-1", "result-2"}}
    assert kept(tmp_path) == {"result-0", "result-1", "result-2", "result-9"} - order.get(keep, order["fail"])


def test_what_is_asked_for_by_a_quota_is_given_up_oldest_first(tmp_path: Path) -> None:
    given = [bare(n, outcome="FAIL") for n in range(100)]
    with retaining(tmp_path, Clock(), *given) as (_, retention, _):
        assert retention.give_up("fail", 1000)
        assert not retention.give_up("undecided", 1000)
    left = kept(tmp_path)
    assert 70 <= len(left) <= 80
    assert left == {f"result-{n}" for n in range(100 - len(left), 100)}


def test_space_that_comes_back_a_moment_later_costs_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on XFS: the disk tells of deleted files only some looks later."""
    given = [bare(n, outcome="PASS") for n in range(200)]
    with retaining(tmp_path, Clock(), *given, min_free_bytes=10**9) as (opened, retention, told):
        need = 256 * 1024
        looks = iter([10**9 + need - 5_000] * 4)
        monkeypatch.setattr(opened, "free_bytes", lambda: next(looks, 10**9 + need))
        retention.hold_floor()
    assert len(told) == 1
    assert 180 <= len(kept(tmp_path)) <= 190


def test_a_floor_out_of_reach_ends_when_nothing_is_left_but_clearances(tmp_path: Path) -> None:
    given = [bare(1, outcome="PASS"), bare(2, outcome="FAIL"), bare(3, clearance_id="c")]
    with retaining(tmp_path, Clock(), *given, min_free_bytes=10**18) as (_, retention, _):
        retention.hold_floor()
    assert kept(tmp_path) == {"result-3"}


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["PASS", "FAIL", "UNDECIDED", "C"]), st.integers(0, 60)), max_size=12),
    st.integers(1, 8000),
)
def test_nothing_of_a_clearance_goes_before_its_time(
    tmp_path_factory: pytest.TempPathFactory, results: list[tuple[str, int]], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("archive")
    given = [
        aged(days, n, outcome="NOT_CLEAR" if what == "C" else what, kind="clearance" if what == "C" else "verdict")
        for n, (what, days) in enumerate(results)
    ]
    limits = {"pass_days": 20, "undecided_days": 20, "fail_days": 20, "clearance_days": 40}
    with retaining(folder, Clock(), *given, keep=limits, max_bytes=limit) as (opened, retention, _):
        retention.hold_floor()
        retention.by_age(0.0)
        young = {one.result_id for one in given if one.kind == "clearance" and START - one.decided_at <= 40 * DAY}
        assert young <= kept(folder)
        rest = [entry for entry in ArchiveReader(folder).find() if entry.kind != "clearance"]
        assert not rest or opened.size_bytes <= limit
        assert all(START - entry.decided_at <= 20 * DAY for entry in rest)


def test_a_clock_that_leaps_ahead_deletes_nothing_for_a_day() -> None:
    clock = AgeClock(None)
    assert clock.trusted(START, 0.0)
    assert clock.trusted(START + DAY, 86_400.0)
    assert not clock.trusted(START + 3000 * DAY, 86_430.0)
    assert (clock.is_held, clock.leap.days, clock.last) == (True, 2998, START + DAY)
    assert not clock.trusted(START + 3000 * DAY, 86_430.0 + HOLD_S - 1)
    assert clock.trusted(START + 3001 * DAY, 86_430.0 + HOLD_S)
    assert not clock.is_held


def test_a_clock_set_right_again_is_trusted_at_once() -> None:
    clock = AgeClock(START)
    assert not clock.trusted(START + 3000 * DAY, 10.0)
    assert clock.trusted(START + DAY, 20.0)
    assert not clock.is_held


@pytest.mark.parametrize(("off_days", "trusted"), [(0.0, True), (30.9, True), (31.1, False), (-400.0, True)])
def test_a_station_that_was_off_is_believed_for_a_month(off_days: float, trusted: bool) -> None:
    assert AgeClock(START).trusted(START + timedelta(days=off_days), 5.0) is trusted


def test_a_restart_does_not_end_the_wait(tmp_path: Path) -> None:
    clock = Clock()
    with retaining(tmp_path, clock, bare(1, outcome="PASS")) as (_, retention, _):
        retention.by_age(0.0)
    for _ in range(3):
        clock.now = START + 5000 * DAY
        with running(tmp_path, clock) as archive:
            until(lambda: archive.alarm is not None)
            assert (archive.alarm or "").startswith("the clock leapt 4970 days ahead: nothing is deleted by age")
    assert kept(tmp_path) == {"result-1"}


def test_results_from_the_future_are_kept_and_found(tmp_path: Path) -> None:
    with retaining(tmp_path, Clock(), aged(-40_000, 1, outcome="PASS"), bare(2)) as (_, retention, _):
        retention.by_age(0.0)
    assert kept(tmp_path) == {"result-1", "result-2"}


def test_ages_beyond_the_calendar_delete_nothing(tmp_path: Path) -> None:
    ages = dict.fromkeys(("pass_days", "undecided_days", "fail_days", "clearance_days"), 1e15)
    with retaining(tmp_path, Clock(), evidence(1), keep=ages) as (_, retention, _):
        assert not retention.by_age(0.0)
    assert kept(tmp_path) == {"result-1"}
