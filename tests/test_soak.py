"""The soak of benchmarks/soak.py, twenty seconds long: nothing may grow, nothing may be missing."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.growth import halves, trend
from benchmarks.soak import VIEWS, Gaps, Soaked, soak
from benchmarks.station import Broker, Missing
from edge.types import Frame
from tests.mosquitto import mosquitto_binary

SECONDS, SETTLE_S = 20.0, 6.0
ROOM_MB = {"station": 64, "camera": 24}


@pytest.fixture(scope="module")
def soaked(tmp_path_factory: pytest.TempPathFactory) -> Soaked:
    pytest.importorskip("genicam", reason="genicam is not installed: pip install 'lineclear[genicam]'")
    mosquitto_binary()
    folder = tmp_path_factory.mktemp("soak")
    with Broker(folder) as broker:
        return soak(folder, broker, SECONDS)


@pytest.mark.slow
def test_every_trigger_is_recorded_and_received_and_every_gap_is_explained(soaked: Soaked) -> None:
    assert soaked.problems(SETTLE_S) == []
    assert set(soaked.received) == set(VIEWS)
    assert min(soaked.received.values()) > SECONDS  # it did run
    assert min(gaps.frames for gaps in soaked.gaps.values()) > SECONDS


@pytest.mark.slow
def test_verdicts_come_from_the_judge(soaked: Soaked) -> None:
    judged = soaked.outcomes.get("PASS", 0) + soaked.outcomes.get("FAIL", 0)
    assert judged > 0.5 * sum(soaked.outcomes.values()), soaked.outcomes


@pytest.mark.slow
def test_memory_stays_within_bounds(soaked: Soaked) -> None:
    late = soaked.samples.times >= SETTLE_S
    assert late.sum() > 5
    for name in soaked.samples.names:
        rss_mb = soaked.samples.of(name, "rss_kb")[late] / 1024
        assert rss_mb.max() - rss_mb[0] < ROOM_MB.get(name.split()[0], 24), name


@pytest.mark.slow
def test_closing_leaves_nothing(soaked: Soaked) -> None:
    assert {name: soaked.after[name] - count for name, count in soaked.before.items() if soaked.after[name] > count} == {}


def frame(number: int, lost: int = 0) -> Frame:
    from datetime import datetime, timezone

    image = np.zeros((2, 2), np.uint8)
    return Frame(image, "north", number, 0, datetime.now(timezone.utc), lost_before=lost)


def test_a_gap_that_no_counter_names_is_seen() -> None:
    gaps = Gaps()
    for number, lost, skipped in ((10, 3, 2), (11, 0, 2), (14, 1, 3), (15, 0, 3)):
        gaps.add(frame(number, lost), skipped)
    assert (gaps.missing, gaps.lost, gaps.skipped, gaps.worst) == (2, 1, 1, 0)
    gaps.add(frame(17), 3)
    assert gaps.worst == 1


def test_the_trend_tells_growth_from_noise() -> None:
    times = np.arange(0.0, 540.0)
    noise = np.random.default_rng(0).normal(0, 200, len(times))
    leak = trend(times, 80_000 + noise + times)
    assert leak.slope == pytest.approx(60, abs=15)
    assert not leak.is_flat
    assert trend(times, 80_000 + noise).is_flat
    assert trend(times, np.full(len(times), 5.0)).slope == 0.0


def test_a_leak_grows_in_both_halves_and_a_step_in_one() -> None:
    times = np.arange(0.0, 540.0)
    for start in (60, 200, 400):
        assert any(half.is_flat for half in halves(times, 80_000 + 3000.0 * (times > start)))
    assert not any(half.is_flat for half in halves(times, 80_000 + 256 * (times // 60)))  # an arena at a time


def test_what_is_missing_stops_the_benchmark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benchmarks.station.shutil.which", lambda *_, **__: None)
    with pytest.raises(Missing, match="apt-get install mosquitto"):
        Broker(tmp_path)
