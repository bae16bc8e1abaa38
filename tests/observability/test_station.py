"""A real station, scraped while it judges: everything that it knows is there, and nobody waits for who looks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from edge.app import Assembly
from edge.checkup import Checkup, CheckupOutcome, write_checkup
from edge.clearance import ClearanceRequest, Handle
from edge.monitoring.collector import EVENTS
from edge.monitoring.families import FAMILIES
from edge.monitoring.rows import row_of
from edge.types import ReasonCode
from tests.mosquitto import free_port, mosquitto
from tests.observability.running import VIEW, Metrics, config, parsed, promtool, running, scrape, scraped_until, value

WITHOUT_A_BROKER = {"lineclear_memory_records"}
NOT_HERE = WITHOUT_A_BROKER | {
    "lineclear_temperature_celsius",  # a virtual machine has no zones
    "lineclear_last_fault_timestamp_seconds",
    "lineclear_clearance_reasons_total",
    "lineclear_engine_first_after_idle_seconds",
    "lineclear_engine_idle_seconds",
    "lineclear_outbox_refused_total",
    "lineclear_camera_shift_pixels",
    "lineclear_camera_shift_before_pixels",
    "lineclear_camera_shift_pixels_per_hour",
    "lineclear_commands_total",
}


class Running:
    """The station, its page, and what the page said first with all that is to be there."""

    def __init__(self, assembly: Assembly, port: int) -> None:
        self.assembly, self.port = assembly, port
        self.metrics = scraped_until(port, _has_all)
        self.text = scrape(port)


def _has_all(metrics: Metrics) -> bool:
    return (
        sum(sample.value for sample in metrics["lineclear_clearances"].samples) == 1
        and value(metrics, "lineclear_verdict_latency_seconds_count", view=VIEW) > 20
        and bool(metrics["lineclear_station_status"].samples)
        and value(metrics, "lineclear_archive_stored_total") > 0
        and value(metrics, "lineclear_broker_connected") == 1
    )


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("observed")
    port = free_port()
    (folder / "state").mkdir()
    found = Checkup(
        name="drift",
        at=datetime.now(timezone.utc),
        outcome=CheckupOutcome.ATTENTION,
        summary="the light sank",
        remedy="clean it",
    )
    write_checkup(folder / "state", found)
    with mosquitto(folder) as broker, running(config(folder, port, broker.port)) as assembly:
        asked = assembly.clearances.request(ClearanceRequest(request_id="r1", batch="B1", product="aspirin", operator="Kim"))
        assert isinstance(asked, Handle)
        asked.answer.result(60)
        yield Running(assembly, port)


def test_every_metric_of_the_table_is_on_the_page(station: Running) -> None:
    shown = {metric.name + ("_total" if metric.type == "counter" else "") for metric in station.metrics.values()}
    assert shown == set(FAMILIES)
    empty = {name for name in FAMILIES if not station.metrics[name.removesuffix("_total")].samples}
    assert empty <= NOT_HERE


def test_every_value_of_health_stands_in_the_table(station: Running) -> None:
    values = station.assembly.station.health.observed.values
    assert len(values) > 80
    assert not [name for name in values if row_of(name) is None]


def test_the_page_is_what_prometheus_takes(station: Running) -> None:
    promtool("check", "metrics", text=station.text)


def test_the_page_says_what_happened(station: Running) -> None:
    metrics = station.metrics
    judged = value(metrics, "lineclear_verdict_latency_seconds_count", view=VIEW)
    told = sum(sample.value for sample in metrics["lineclear_verdicts"].samples)
    assert told == judged
    assert value(metrics, "lineclear_camera_status", view=VIEW, status="live") == 1
    assert value(metrics, "lineclear_alarm_active", alarm="check_drift") == 1
    assert value(metrics, "lineclear_check_outcome", check="drift", outcome="attention") == 1
    assert value(metrics, "lineclear_trigger_status", trigger="gate", status="away") == 1
    assert value(metrics, "lineclear_camera_resident_memory_bytes", view=VIEW) > 1e7
    assert value(metrics, "lineclear_disk_free_bytes", folder="state") > 0
    assert value(metrics, "lineclear_view_info", view=VIEW) == 1
    assert value(metrics, "lineclear_safe_mode") == 0
    assert value(metrics, "lineclear_report_age_seconds") < 60


def test_the_number_of_series_is_bounded(station: Running) -> None:
    """Nothing that a verdict, a clearance or a client brings with it becomes a series."""

    def series(text: str) -> set[str]:
        return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}

    before = value(parsed(scrape(station.port)), "lineclear_verdict_latency_seconds_count", view=VIEW)
    scraped_until(station.port, lambda now: value(now, "lineclear_verdict_latency_seconds_count", view=VIEW) > before + 20)
    new = series(scrape(station.port)) - series(station.text)
    assert not [
        name for name in new if not name.startswith(("lineclear_camera_shift", "lineclear_engine_", "lineclear_verdicts"))
    ]
    assert len(series(station.text)) < 700


def test_who_scrapes_all_the_time_keeps_no_verdict_waiting(station: Running) -> None:
    """Four scrapers without a pause: each gets whole pages, and the station judges on; what they run is nothing of its own."""
    stop, pages = threading.Event(), [0] * 4

    def keep_scraping(number: int) -> None:
        while not stop.is_set():
            assert scrape(station.port).endswith("\n")
            pages[number] += 1

    scrapers = [threading.Thread(target=keep_scraping, args=(number,)) for number in range(4)]
    before = value(parsed(scrape(station.port)), "lineclear_verdict_latency_seconds_count", view=VIEW)
    for scraper in scrapers:
        scraper.start()
    try:
        scraped_until(station.port, lambda now: value(now, "lineclear_verdict_latency_seconds_count", view=VIEW) > before + 10)
    finally:
        stop.set()
        for scraper in scrapers:
            scraper.join(20)
    assert all(pages)


def test_a_page_is_served_while_the_judge_and_the_outbox_are_locked(station: Running) -> None:
    health, publisher = station.assembly.station.health, station.assembly.publisher
    outbox = publisher._outbox  # type: ignore[attr-defined]
    with health._lock, outbox._write, outbox._read:
        assert "lineclear_verdicts_total" in scrape(station.port)


def test_counters_start_at_zero(station: Running) -> None:
    verdicts, events = (station.metrics[f"lineclear_{name}"].samples for name in ("verdicts", "events"))
    assert {each.labels["reason"] for each in verdicts} == {"", *(code.value for code in ReasonCode)}
    assert {each.labels["event"] for each in events if each.labels["view"]} == set(EVENTS)
