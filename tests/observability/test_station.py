"""A real station, scraped while it judges: everything that it knows is there, and nobody waits for who looks."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

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
        name="drift", at=datetime.now(timezone.utc), outcome=CheckupOutcome.ATTENTION, summary="the light sank", remedy="clean it"
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


def test_zz(station: Running) -> None:
    Path("/work/scratch/obs_scrape.txt").write_text(station.text)
