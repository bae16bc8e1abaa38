"""The tables, the collector, the machine, the checks: each by itself."""

from __future__ import annotations

import json
import os
import re
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from edge.checkup import FOLDER, Checkup, CheckupOutcome, write_checkup
from edge.health import Health
from edge.monitoring.checks import MAX_AGE_S, MAX_CHECKS, READ_EVERY_S, Checks
from edge.monitoring.collector import EVENTS, StationCollector
from edge.monitoring.families import FAMILIES
from edge.monitoring.machine import PAGE_BYTES, machine_values, process_values, resident_bytes
from edge.monitoring.rows import ROWS, row_of
from edge.types import Clearance, ClearanceOutcome, Outcome, Reason, ReasonCode
from tests.observability.running import ROOT, parsed, promtool, value
from tests.test_health import START, verdict

NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def page(health: Health, *views: str) -> str:
    registry = CollectorRegistry()
    registry.register(StationCollector(health, views, dict))
    return generate_latest(registry).decode()


def test_names_follow_the_conventions() -> None:
    for name, family in FAMILIES.items():
        assert re.fullmatch(r"(lineclear|process)_[a-z0-9_]+", name)
        assert name.endswith("_total") == (family.kind == "counter"), name
        assert name.endswith("_info") == (family.kind == "info"), name
        assert not re.search(r"_(ms|milliseconds|mb|minutes|percent)(_|$)", name), name
        assert not {"result_id", "batch", "request_id", "client", "text", "le"} & set(family.labels), name
        assert family.meaning.endswith(".")
        assert (family.kind == "states") == bool(family.states)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.pattern)
def test_every_row_gives_its_metric_all_labels(row: object) -> None:
    for view in ("front", "a.b"):
        name = PLACEHOLDER.sub("x", row.pattern.replace("{view}", view))  # type: ignore[attr-defined]
        found = row_of(name)
        assert found is not None
        assert found[0] is row
        if row.metric:  # type: ignore[attr-defined]
            family = FAMILIES[row.metric]  # type: ignore[attr-defined]
            assert set(found[1]) == set(family.labels[:-1] if family.kind == "states" else family.labels)
        else:
            assert row.because  # type: ignore[attr-defined]


def test_every_metric_has_a_source() -> None:
    structured = {"verdicts_total", "verdict_latency_seconds", "stage_duration_seconds", "clearance_duration_seconds"}
    made = {f"lineclear_{name}" for name in structured | {"build_info", "view_info", "report_age_seconds"}}
    assert {row.metric for row in ROWS if row.metric} | made == set(FAMILIES)


def test_the_page_of_the_docs_has_every_metric() -> None:
    text = (ROOT / "docs" / "ops" / "README.md").read_text()
    shown = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    assert shown == [
        (family.name, family.kind, ", ".join(f"`{label}`" for label in family.labels) or "-", family.meaning)
        for family in FAMILIES.values()
    ]


def test_histograms_are_cumulative_and_agree_with_what_was_counted() -> None:
    health = Health()
    for milliseconds in (0.5, 1.0, 30.0, 9000.0):
        health.verdict(verdict(stage_ms={"infer": milliseconds, "grab": 500.0}))
    health.observe({})
    text = page(health, "front")
    buckets = re.findall(r'lineclear_verdict_latency_seconds_bucket\{le="([^"]+)",view="front"\} (\S+)', text)
    counts = {bound: float(count) for bound, count in buckets}
    assert [counts["0.001"], counts["0.025"], counts["0.05"], counts["5"], counts["+Inf"]] == [2, 2, 3, 3, 4]
    assert list(counts.values()) == sorted(counts.values())
    metrics = parsed(text)
    assert value(metrics, "lineclear_verdict_latency_seconds_sum", view="front") == pytest.approx(9.0315)
    assert value(metrics, "lineclear_stage_duration_seconds_count", view="front", stage="grab") == 4
    promtool("check", "metrics", text=text)


def test_counters_are_there_before_they_count() -> None:
    health = Health()
    metrics = parsed(page(health, "front", "side"))
    for view in ("front", "side"):
        for code in ReasonCode:
            assert value(metrics, "lineclear_verdicts_total", view=view, outcome="UNDECIDED", reason=code.value) == 0
        for event in EVENTS:
            assert value(metrics, "lineclear_events_total", view=view, event=event) == 0
    health.verdict(verdict(Outcome.FAIL))
    health.event("front", "frames_lost", 3)
    assert value(parsed(page(health, "front")), "lineclear_verdicts_total", outcome="FAIL") == 0, "not before the report looked"
    health.observe(health.values())
    metrics = parsed(page(health, "front"))
    assert value(metrics, "lineclear_verdicts_total", outcome="FAIL") == 1
    assert value(metrics, "lineclear_events_total", event="frames_lost") == 3


def test_states_are_one_series_each_and_texts_are_none() -> None:
    health = Health()
    values = {"camera.front.status": "silent", "mqtt.reason": "gone", "audit.anchor": "17:c0ffee", "station.last_fault_at": ""}
    health.observe({**values, "view.front.ready": True, "a.value.of.tomorrow": 3})
    text = page(health)
    metrics = parsed(text)
    assert {s.labels["status"]: s.value for s in metrics["lineclear_camera_status"].samples}["silent"] == 1
    assert sum(sample.value for sample in metrics["lineclear_camera_status"].samples) == 1
    assert value(metrics, "lineclear_audit_entries") == 17
    assert not metrics["lineclear_last_fault_timestamp_seconds"].samples
    assert "gone" not in text
    assert "tomorrow" not in text


def test_a_strange_name_of_a_view_breaks_no_line() -> None:
    health = Health()
    name = 'a"b\nlineclear_safe_mode 0'
    health.observe({f"view.{name}.ready": False})
    assert value(parsed(page(health)), "lineclear_view_ready", view=name) == 0


def clearance(outcome: ClearanceOutcome, *codes: ReasonCode, seconds: float = 3.0) -> Clearance:
    asked = START
    reasons = tuple(Reason(code, "why") for code in codes)
    return Clearance("id", "r", 1, outcome, "B", "p", "Kim", (), asked, asked + timedelta(seconds=seconds), reasons=reasons)


def test_clearances_are_counted_and_timed_but_not_people() -> None:
    health = Health()
    health.clearance(clearance(ClearanceOutcome.CLEAR))
    health.clearance(clearance(ClearanceOutcome.UNDECIDED, ReasonCode.NOT_FIT, ReasonCode.DISK_LOW))
    health.clearance(clearance(ClearanceOutcome.RELEASED_BY, seconds=4000))
    health.observe(health.values())
    metrics = parsed(page(health))
    assert value(metrics, "lineclear_clearances_total", outcome="RELEASED_BY") == 1
    assert value(metrics, "lineclear_clearances_total", outcome="NOT_CLEAR") == 0
    assert value(metrics, "lineclear_clearance_reasons_total", reason="disk_low") == 1
    assert value(metrics, "lineclear_clearance_duration_seconds_sum", outcome="CLEAR") == 3
    assert not [s for s in metrics["lineclear_clearance_duration_seconds"].samples if s.labels["outcome"] == "RELEASED_BY"]


def test_a_scrape_waits_for_no_lock_of_the_judge() -> None:
    health = Health()
    health.verdict(verdict())
    health.observe(health.values())
    text: list[str] = []
    with health._lock:
        scraper = threading.Thread(target=lambda: text.append(page(health, "front")))
        scraper.start()
        scraper.join(20)
        assert text, "it waits for the lock"


def test_the_kernel_is_asked_and_what_it_does_not_say_is_left_out(tmp_path: Path) -> None:
    values = process_values()
    assert values["process.resident_bytes"] == pytest.approx(resident_bytes(os.getpid()), rel=0.2)
    assert set(values) == {row.pattern for row in ROWS if row.pattern.startswith("process.")}
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "statm").write_text("10 3 1")
    (tmp_path / "self" / "stat").write_text("1 (a) (b")
    assert process_values(tmp_path)["process.resident_bytes"] == 3 * PAGE_BYTES
    assert resident_bytes(1 << 30) is None
    assert machine_values(tmp_path / "absent", tmp_path, tmp_path) == {}


def test_temperatures_are_named_by_their_zone(tmp_path: Path) -> None:
    zones = {
        0: ("cpu-thermal", "51250"),
        1: ("GPU temp.", "60000"),
        2: ("cpu-thermal", "49000"),
        3: ("off", ""),
        4: ("x", "-274000"),
    }
    for number, (kind, temperature) in zones.items():
        folder = tmp_path / f"thermal_zone{number}"
        folder.mkdir()
        (folder / "type").write_text(kind + "\n")
        (folder / "temp").write_text(temperature)
    values = machine_values(tmp_path, zones=tmp_path)
    found = {name.split(".", 2)[2]: celsius for name, celsius in values.items() if "temperature" in name}
    assert found == {"cpu-thermal": 51.2, "GPU_temp_": 60.0, "cpu-thermal_2": 49.0}
    assert all(row_of(name) is not None for name in values)
    free, size = values["disk.state.free_bytes"], values["disk.state.size_bytes"]
    assert isinstance(free, int)
    assert isinstance(size, int)
    assert 0 < free < size


class Mailbox:
    """A state folder whose checks are looked at by a clock that the test moves."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.clock = folder, NOW, 0.0
        self.checks = Checks(folder, lambda: self.now, lambda: self.clock)

    def put(
        self, name: str = "drift", outcome: CheckupOutcome = CheckupOutcome.OK, age_s: float = 60, remedy: str = ""
    ) -> None:
        at = self.now - timedelta(seconds=age_s)
        write_checkup(self.folder, Checkup(name=name, at=at, outcome=outcome, summary="what it saw", remedy=remedy))
        self.clock += READ_EVERY_S

    @property
    def up(self) -> dict[str, str]:
        return {code: text for code, text in self.checks.alarms().items() if text is not None}


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    return Mailbox(tmp_path)


def test_a_station_without_timers_has_no_alarm_but_clears_those_of_before(mailbox: Mailbox) -> None:
    codes = {"check_drift", "check_drift_old", "check_archive_verify", "check_archive_verify_old"}
    assert mailbox.checks.alarms() == dict.fromkeys(codes)
    assert mailbox.checks.values() == {}


@pytest.mark.parametrize("outcome", CheckupOutcome)
def test_what_a_check_found_is_a_value_and_what_is_wrong_an_alarm(mailbox: Mailbox, outcome: CheckupOutcome) -> None:
    mailbox.put(outcome=outcome, remedy="clean the window")
    assert mailbox.checks.values() == {
        "checks.drift.outcome": outcome.value,
        "checks.drift.age_s": 60.0,
        "checks.drift.summary": "what it saw",
    }
    is_wrong = outcome in (CheckupOutcome.ATTENTION, CheckupOutcome.FAILED)
    assert mailbox.up == ({"check_drift": "drift: what it saw: clean the window"} if is_wrong else {})
    mailbox.put()
    assert mailbox.up == {}


@pytest.mark.parametrize(("name", "limit_s"), [*MAX_AGE_S.items(), ("of-the-site", 16 * 86400.0)])
def test_a_check_that_ran_once_and_not_since_is_an_alarm_of_its_own(mailbox: Mailbox, name: str, limit_s: float) -> None:
    code = f"check_{name.replace('-', '_')}_old"
    mailbox.put(name, age_s=limit_s - 1)
    assert mailbox.up == {}
    mailbox.put(name, age_s=limit_s + 1)
    assert set(mailbox.up) == {code}
    assert "systemctl list-timers" in mailbox.up[code]
    (mailbox.folder / FOLDER / f"{name}.json").unlink()
    mailbox.clock += READ_EVERY_S
    assert mailbox.checks.alarms()[code] is None, "cleared, not forgotten"


@pytest.mark.parametrize("damage", [b"", b"{", b"[" * 100_000, b"\xff" * 100, b'{"schema": "other/1"}', b"0" * 2_000_000])
def test_a_damaged_check_harms_nobody(mailbox: Mailbox, damage: bytes) -> None:
    mailbox.put()
    (mailbox.folder / FOLDER / "drift.json").write_bytes(damage)
    mailbox.clock += READ_EVERY_S
    assert mailbox.checks.values()["checks.drift.outcome"] == "unknown"
    assert all(text is None or "drift" in text for text in mailbox.checks.alarms().values())


def test_a_flood_of_checks_is_bounded_and_a_clock_set_back_is_no_age(mailbox: Mailbox) -> None:
    for number in range(MAX_CHECKS + 10):
        mailbox.put(f"check{number:03d}", age_s=-3600)
    values = mailbox.checks.values()
    assert len(values) == 3 * MAX_CHECKS
    assert values["checks.check000.age_s"] == 0
    assert mailbox.up == {}


def test_the_disk_is_looked_at_now_and_then(mailbox: Mailbox) -> None:
    mailbox.put(outcome=CheckupOutcome.FAILED)
    assert mailbox.up
    path = mailbox.folder / FOLDER / "drift.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "outcome": "ok"}))
    mailbox.clock += READ_EVERY_S / 2
    assert mailbox.up
    mailbox.clock += READ_EVERY_S / 2
    assert not mailbox.up


def test_the_page_of_the_topic_names_every_value() -> None:
    section = (ROOT / "docs" / "mqtt.md").read_text().split("### Values of health")[1].split("## What a consumer")[0]
    last = set(re.findall(r"[a-z_]+", section))
    only_prometheus = {"state.status", "alarm.{alarm}", "view.{view}.ready"}
    for row in ROWS:
        if row.pattern not in only_prometheus:
            words = [word for word in row.pattern.split(".") if not word.startswith("{")]
            ending = re.sub(r"_(image|verdict|clearance)$", "", words[-1]) if words[0] == "outbox" else words[-1]
            assert {words[0]} <= last, row.pattern
            assert any(word.startswith(ending) for word in last), row.pattern
