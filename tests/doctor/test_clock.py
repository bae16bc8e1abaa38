"""Who keeps the clock, and what the audit log knows of it."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.audit import Action, AuditLog
from edge.config import load_config
from edge.doctor.check import Case, Status
from edge.doctor.clock import clock, jumps, synchronisation
from edge.doctor.machine import Answer, Machine
from edge.settings.audit import AuditSettings
from tests.cli.running import station
from tests.doctor.trees import RTX_TOOLS, checked, grow

NOW = datetime(2026, 11, 22, 10, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("tools", "right", "word"),
    [
        ({"timedatectl": Answer(0, "yes\n")}, True, "synchronised"),
        ({"timedatectl": Answer(0, "no\n")}, False, "not synchronised"),
        ({"timedatectl": Answer(1, "", "no bus")}, None, "nobody"),
        ({"chronyc": Answer(1, "", "506 Cannot talk to daemon"), "timedatectl": Answer(0, "yes")}, True, "synchronised"),
        ({"chronyc": Answer(0, RTX_TOOLS["chronyc"].out.replace("Normal", "Not synchronised"))}, False, "no time server"),
        ({"chronyc": Answer(0, "garbage")}, False, "no time server"),
        ({}, None, "nobody"),
    ],
)
def test_who_keeps_the_clock(tmp_path: Path, tools: dict[str, Answer], right: bool | None, word: str) -> None:
    kept = synchronisation(grow(tmp_path, {}, tools))
    assert (kept.is_right, word in kept.detail) == (right, True)


def test_systemd_leaves_a_file_where_its_program_says_nothing(tmp_path: Path) -> None:
    assert synchronisation(grow(tmp_path, {"/run/systemd/timesync/synchronized": ""})).is_right


def test_this_machine_answers_whatever_it_is() -> None:
    (found,) = clock(Case())
    assert found.status in (Status.OK, Status.WARN)


def test_the_year_1970(tmp_path: Path) -> None:
    (found,) = clock(Case(grow(tmp_path, {}), now=datetime(1970, 1, 1, tzinfo=timezone.utc)))
    assert (found.status, found.detail) == (Status.FAIL, "says 1970-01-01")


def logged(tmp_path: Path, *entries: tuple[datetime, Action]) -> Case:
    config = load_config(station(tmp_path))
    times = [at for at, _ in entries]
    log = AuditLog(tmp_path / "state" / "audit", AuditSettings(), now=lambda: times.pop(0))
    (tmp_path / "state" / "audit").mkdir(parents=True, exist_ok=True)
    for _, action in entries:
        log.append(action, who="lineclear", subject="clock", why="the clock moved by 3600.0 s", before=None, after=None)
    return Case(Machine(), config, now=NOW)


def test_jumps_of_the_last_days_are_told(tmp_path: Path) -> None:
    old, new = NOW - timedelta(days=30), NOW - timedelta(days=2)
    found = checked(jumps(logged(tmp_path, (old, Action.CLOCK_JUMP), (new, Action.CLOCK_JUMP))))["clock jumps"]
    assert found.status is Status.WARN
    assert found.detail == "1 within 7 days, last: 2026-11-20 10:00 the clock moved by 3600.0 s"


def test_no_jump_is_well(tmp_path: Path) -> None:
    found = checked(jumps(logged(tmp_path, (NOW - timedelta(days=30), Action.CLOCK_JUMP), (NOW, Action.START))))
    assert found["clock jumps"].status is Status.OK


def test_a_clock_that_is_behind_what_was_written(tmp_path: Path) -> None:
    found = checked(jumps(logged(tmp_path, (NOW + timedelta(hours=1), Action.START))))["clock jumps"]
    assert (found.status, "still to come" in found.detail) == (Status.FAIL, True)


def test_without_a_log_there_is_nothing_to_say(tmp_path: Path) -> None:
    (found,) = jumps(Case(Machine(), load_config(station(tmp_path)), now=NOW))
    assert found.status is Status.SKIP
    (tmp_path / "state" / "audit").mkdir(parents=True)
    (found,) = jumps(Case(Machine(), load_config(station(tmp_path)), now=NOW))
    assert (found.status, "holds no audit log" in found.detail) == (Status.SKIP, True)
