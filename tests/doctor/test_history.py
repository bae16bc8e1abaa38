"""What a station leaves on its disk, also when that is damaged."""

import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.audit import Action, AuditLog
from edge.checkup import Checkup, CheckupOutcome, write_checkup
from edge.config import load_config
from edge.doctor.check import Case, Status
from edge.doctor.config import config
from edge.doctor.history import audit, checkups, last_fault, last_good, outbox
from edge.doctor.limits import Limit
from edge.publishers.base import Record, RecordKind
from edge.publishers.outbox import Outbox
from edge.safe_mode import LastGood
from edge.settings.audit import AuditSettings
from edge.settings.mqtt import OutboxSettings
from tests.cli.running import simulated, station
from tests.doctor.trees import checked, grow

NOW = datetime(2026, 11, 22, 10, tzinfo=timezone.utc)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    path = station(tmp_path)
    (tmp_path / "state").mkdir()
    return Case(grow(tmp_path / "root", {}), load_config(path), path, now=NOW)


def test_a_fresh_station_has_left_nothing(case: Case) -> None:
    found = checked([*audit(case), *checkups(case), *last_good(case), *last_fault(case), *outbox(case)])
    assert {check.status for check in found.values()} == {Status.SKIP, Status.OK}
    assert found["last fault"].detail == "the station never had to end itself"


def test_the_audit_chain(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "audit"
    folder.mkdir()
    log = AuditLog(folder, AuditSettings())
    for number in range(5):
        log.append(Action.START, who="lineclear", subject="box", why=str(number), before=None, after=None)
    (found,) = audit(case)
    assert (found.status, found.detail) == (Status.OK, "5 entries in 1 file(s), unbroken")
    (file,) = folder.glob("*.jsonl")
    file.write_text(file.read_text().replace('"why":"2"', '"why":"7"'))
    (found,) = audit(case)
    assert (found.status, "entry 3 is not as it was written" in found.detail) == (Status.FAIL, True)
    file.unlink()
    (found,) = audit(case)
    assert (found.status, "holds no audit log" in found.detail) == (Status.FAIL, True)


def test_the_last_good_config(case: Case, tmp_path: Path) -> None:
    assert case.config is not None
    assert case.config_path is not None
    LastGood(tmp_path / "station.yaml.last-good", case.config_path).save(case.config, NOW)
    (found,) = last_good(case)
    assert (found.status, "2026-11-22T10:00:00+00:00" in found.detail) == (Status.OK, True)
    changed = Case(case.machine, load_config(station(tmp_path, health={"interval_s": 33})), case.config_path, now=NOW)
    (found,) = last_good(changed)
    assert (found.status, "another than the one that ran well" in found.detail) == (Status.WARN, True)
    (tmp_path / "station.yaml.last-good").write_text("{}")
    (found,) = last_good(changed)
    assert (found.status, "damaged" in found.detail) == (Status.WARN, True)


def test_the_last_good_config_in_the_services_folder(case: Case, tmp_path: Path) -> None:
    assert case.config is not None
    assert case.config_path is not None
    LastGood(tmp_path / "state" / "station.yaml.last-good", case.config_path).save(case.config, NOW)
    (found,) = last_good(case)
    assert found.status is Status.OK


def test_why_the_station_ended_itself(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "state" / "last-fault.json"
    path.write_text(json.dumps({"why": "judge: an engine call hangs", "at": "2026-11-22T09:00:00+00:00"}))
    os.utime(path, (NOW.timestamp() - 3600,) * 2)
    (found,) = last_fault(case)
    assert (found.status, found.detail) == (Status.WARN, "2026-11-22T09:00:00+00:00: judge: an engine call hangs")
    os.utime(path, (NOW.timestamp() - 8 * 86_400,) * 2)
    (found,) = last_fault(case)
    assert (found.status, found.detail.endswith("(8 days ago)")) == (Status.OK, True)
    for text in ("", "[]", "{}", '{"why": 1}', "[" * 5000):
        path.write_text(text)
        (found,) = last_fault(case)
        assert (found.status, "cannot be read" in found.detail) == (Status.WARN, True), text


@pytest.mark.parametrize(
    ("name", "outcome", "days", "status"),
    [
        ("drift", CheckupOutcome.OK, 2, "OK"),
        ("drift", CheckupOutcome.OK, 4, "WARN"),
        ("drift", CheckupOutcome.ATTENTION, 0, "WARN"),
        ("archive-verify", CheckupOutcome.OK, 15, "OK"),
        ("archive-verify", CheckupOutcome.OK, 17, "WARN"),
        ("archive-verify", CheckupOutcome.FAILED, 0, "WARN"),
    ],
)
def test_what_the_timers_found(
    case: Case, tmp_path: Path, name: str, outcome: CheckupOutcome, days: float, status: str
) -> None:
    at = NOW - timedelta(days=days)
    write_checkup(tmp_path / "state", Checkup(name=name, at=at, outcome=outcome, summary="so it is", figures={}))
    found = checked(checkups(case))
    assert found[f"checkup {name}"].status.value == status
    assert len(found) == 2
    (tmp_path / "state" / "checks" / f"{name}.json").write_text("torn")
    assert checked(checkups(case))[f"checkup {name}"].status is Status.WARN


def test_what_waits_for_the_broker(case: Case, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "state" / "outbox.sqlite3"
    with Outbox(path, OutboxSettings(), lambda: NOW.timestamp() - 7200) as box:
        (found,) = outbox(case)
        assert found.detail == "nothing waits"
        body = {"resultId": "r1", "view": "feeder"}
        box.put([Record(RecordKind.VERDICT, "view/feeder/result", body, result_id="r1")], "root")
        (found,) = outbox(case)
        assert (found.status, found.detail) == (Status.OK, "1 messages wait, the oldest for 2.0 h")
        monkeypatch.setattr("edge.doctor.history.WAITING", Limit("", 0, "rows", ""))
        (found,) = outbox(case)
        assert found.status is Status.WARN
    path.write_bytes(b"no database at all, but long enough to be looked at as one" * 20)
    (found,) = outbox(case)
    assert (found.status, "cannot be read" in found.detail) == (Status.WARN, True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"config": "OK", "publisher": "WARN"}),
        ({"publisher": {"kind": "mqtt", "host": "h"}}, {"config": "OK"}),
        ({"engine": {"kind": "auto"}}, {"config": "OK", "publisher": "WARN", "engine choice": "WARN"}),
        ({"engine": {"kind": "simulated"}}, {"config": "OK", "publisher": "WARN", "simulated": "WARN"}),
        ({"archive": {"own_disk": True}}, {"config": "OK", "publisher": "WARN", "archive": "WARN"}),
        ({"archive": {"own_disk": True, "path": "/srv/evidence"}}, {"config": "OK", "publisher": "WARN"}),
    ],
)
def test_parts_that_do_not_go_together(tmp_path: Path, changes: dict[str, object], expected: dict[str, str]) -> None:
    path = station(tmp_path, **changes)
    found = checked(config(Case(config=load_config(path), config_path=path)))
    assert {name: check.status.value for name, check in found.items()} == expected


def test_a_trigger_over_mqtt_without_a_broker(tmp_path: Path) -> None:
    path = station(tmp_path, triggers={"gate": {"kind": "mqtt", "views": ["feeder"]}})
    found = [check for check in config(Case(config=load_config(path), config_path=path)) if check.status is Status.FAIL]
    assert len(found) == 1
    assert "gate waits for messages" in found[0].detail
    assert "kind: mqtt" in found[0].remedy


def test_a_rendered_camera_and_problems(tmp_path: Path) -> None:
    views = {"feeder": {"recipe": "r", "camera": simulated()}}
    path = station(tmp_path, views=views)
    found = list(config(Case(config=load_config(path), config_path=path, problems=("a: b: do c", "d: e: do f"))))
    assert [check.name for check in found] == ["config", "config", "publisher", "simulated"]
    (none,) = config(Case())
    assert none.status is Status.SKIP
    (one,) = config(Case(problems=("x: y: z",)))
    assert (one.status, one.detail) == (Status.FAIL, "x: y: z")
