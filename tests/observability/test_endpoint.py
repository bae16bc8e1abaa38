"""A port for Prometheus that somebody else has: told, tried again, and never in the way of a verdict."""

from __future__ import annotations

import socket
import urllib.error
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge

from edge.monitoring.endpoint import ADDRESS, RETRY_S, Endpoint
from edge.types import Outcome
from tests.observability.running import VIEW, config, parsed, running, scrape, value


@pytest.fixture
def taken():
    with socket.socket() as other:
        other.bind((ADDRESS, 0))
        other.listen()
        yield other


def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    Gauge("one", "A figure.", registry=made).set(1)
    return made


def test_a_taken_port_is_told_and_tried_again(taken: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    now_s = 100.0
    port = taken.getsockname()[1]
    caplog.set_level("INFO")
    with Endpoint(registry(), port, lambda: now_s) as endpoint:
        assert endpoint.trouble is not None
        assert f"port {port} cannot be used" in endpoint.trouble
        taken.close()
        now_s += RETRY_S / 2
        assert endpoint.look() is not None, "not asked for at every round"
        now_s += RETRY_S
        assert endpoint.look() is None
        assert value(parsed(scrape(port)), "one") == 1
    assert [record.message.split()[0] for record in caplog.records] == ["metrics_not_served", "metrics_served"]


def test_it_is_gone_when_it_is_left(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    taken.close()
    with Endpoint(registry(), port) as endpoint:
        scrape(port)
    with pytest.raises(urllib.error.URLError):
        scrape(port)
    assert endpoint.look() is None


def test_after_the_end_it_is_not_tried_again(taken: socket.socket) -> None:
    now_s = 0.0
    with Endpoint(registry(), taken.getsockname()[1], lambda: now_s) as endpoint:
        pass
    port = taken.getsockname()[1]
    taken.close()
    now_s += 10 * RETRY_S
    assert endpoint.look() is not None
    with pytest.raises(urllib.error.URLError):
        scrape(port)


def test_a_station_judges_though_its_port_is_taken(taken: socket.socket, tmp_path: Path) -> None:
    with running(config(tmp_path, taken.getsockname()[1])) as assembly:
        asked = (assembly.station.ask(VIEW, 1, 20.0, None)[0].result(30).outcome for _ in range(20))
        assert Outcome.PASS in asked, "the first frames of a busy machine may come too late"
