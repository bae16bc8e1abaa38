"""The soak of benchmarks/soak.py, three minutes long, with all that disturbs it: nothing may grow, nothing may be missing."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.growth import Samples, halves, trend
from benchmarks.soak import VIEWS, Gaps, Soaked, keeping, soak
from benchmarks.soak_events import Events, Schedule
from benchmarks.soak_ledger import Latencies
from benchmarks.station import Broker, Missing
from edge.supervision import bound_arenas
from edge.types import Frame
from tests.mosquitto import mosquitto_binary

SECONDS, SETTLE_S = 150.0, 40.0
SCHEDULE = Schedule(broker_s=45, kill_s=31, change_s=50)
ROOM_MB = {"station": 64, "camera": 24}


@pytest.mark.slow
def test_three_minutes_of_restarts_kills_and_changes_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    """One test, since the run is what takes the time."""
    pytest.importorskip("genicam", reason="genicam is not installed: pip install 'lineclear[genicam]'")
    mosquitto_binary()
    bound_arenas()
    with Broker(tmp_path, *keeping(tmp_path)) as broker:
        soaked = soak(tmp_path, broker, SECONDS, schedule=SCHEDULE)
    assert soaked.problems(SETTLE_S) == []
    assert soaked.triggered == soaked.recorded == soaked.received
    assert (soaked.events.restarts, soaked.events.kills, soaked.events.changes) == (2, 4, 2)
    assert soaked.restarts == soaked.events.kills
    assert set(soaked.received) == set(VIEWS)
    assert min(soaked.received.values()) > SECONDS  # it did run
    assert min(gaps.frames for gaps in soaked.gaps.values()) > SECONDS
    judged = soaked.outcomes.get("PASS", 0) + soaked.outcomes.get("FAIL", 0)
    assert judged > 0.5 * sum(soaked.outcomes.values()), soaked.outcomes
    assert set(soaked.outcomes) <= {"PASS", "FAIL", *(f"UNDECIDED {code}" for code in ALLOWED)}, soaked.outcomes
    bounds(soaked)
    assert {name: soaked.after[name] - count for name, count in soaked.before.items() if soaked.after[name] > count} == {}


ALLOWED = ("camera_lost", "frame_timeout", "overrun", "stopped")


def bounds(soaked: Soaked) -> None:
    late = soaked.samples.times >= SETTLE_S
    assert late.sum() > 5
    for name in soaked.samples.names:
        rss_mb = soaked.samples.of(name, "rss_kb")[late] / 1024
        assert np.nanmax(rss_mb) - rss_mb[~np.isnan(rss_mb)][0] < ROOM_MB.get(name.split()[0], 24), name


def frame(number: int, lost: int = 0) -> Frame:
    from datetime import datetime, timezone

    image = np.zeros((2, 2), np.uint8)
    return Frame(image, "north", number, 0, datetime.now(timezone.utc), lost_before=lost)


def test_a_gap_that_no_counter_names_is_seen() -> None:
    gaps = Gaps()
    for number, lost, skipped in ((10, 3, 2), (11, 0, 2), (14, 1, 3), (15, 0, 3)):
        gaps.add(frame(number, lost), skipped)
    assert (gaps.missing, gaps.lost, gaps.skipped, gaps.worst) == (2, 1, 1, 0)
    assert gaps.unexplained == 0
    gaps.add(frame(17), 3)
    assert (gaps.worst, gaps.unexplained) == (1, 1)


def test_a_new_life_of_a_camera_begins_with_new_numbers_and_hides_nothing() -> None:
    gaps = Gaps()
    for number, skipped, life in ((10, 0, 0), (13, 3, 0), (0, 5, 1), (1, 5, 1)):
        gaps.add(frame(number), skipped, life)
    assert (gaps.worst, gaps.ahead) == (0, 1)
    gaps.add(frame(3), 5, 1)  # the surplus of the life before does not make up for it
    assert (gaps.worst, gaps.unexplained) == (1, 1)
    gaps.add(frame(0), 5, 2)  # nor does the next life
    assert gaps.unexplained == 1


def test_the_trend_tells_growth_from_noise() -> None:
    times = np.arange(0.0, 540.0)
    noise = np.random.default_rng(0).normal(0, 200, len(times))
    leak = trend(times, 80_000 + noise + times)
    assert leak.slope == pytest.approx(60, abs=15)
    assert not leak.is_flat
    assert trend(times, 80_000 + noise).is_flat
    assert trend(times, np.full(len(times), 5.0)).slope == 0.0


def test_a_process_that_is_away_for_a_moment_does_not_spoil_the_trend() -> None:
    times = np.arange(0.0, 540.0)
    level = 80_000 + times
    level[100:110] = np.nan
    assert trend(times, level).slope == pytest.approx(60, abs=1)


def test_a_leak_grows_in_both_halves_and_a_step_in_one() -> None:
    times = np.arange(0.0, 540.0)
    for start in (60, 200, 400):
        assert any(half.is_flat for half in halves(times, 80_000 + 3000.0 * (times > start)))
    assert not any(half.is_flat for half in halves(times, 80_000 + 256 * (times // 60)))  # an arena at a time


def test_samples_follow_a_process_to_its_next_life() -> None:
    pids = iter((os.getpid(), None, os.getpid()))
    samples = Samples({"camera": lambda: next(pids)}, 3)
    for second in range(3):
        samples.take(float(second))
    assert np.isnan(samples.of("camera", "rss_kb")).tolist() == [False, True, False]


def test_quarters_of_the_time_not_of_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, *[0.05 * n for n in range(100)], 12.0, 35.0, 40.0])
    monkeypatch.setattr("benchmarks.soak_ledger.time.monotonic", lambda: next(clock))
    latencies = Latencies(200)
    for _ in range(100):
        latencies.add(5.0)
    for ms in (6.0, 7.0, 9.0):
        latencies.add(ms)
    assert [len(part) for part in latencies.quarters()] == [100, 1, 0, 2]
    assert latencies.p99()[0] == pytest.approx(5.0)


def test_what_is_due_is_done_and_the_end_stays_quiet() -> None:
    class Served:
        def __init__(self) -> None:
            self.said: list[str] = []

        def stop(self) -> None:
            self.said.append("stop")

        def start(self) -> None:
            self.said.append("start")

    served, events = Served(), Events(Schedule(10, 0, 0))
    for second in range(1, 61):
        events.at(second, 60, None, served, [])  # type: ignore[arg-type]
    assert served.said == ["stop", "start"] * 4
    assert events.restarts == 4


def test_what_is_missing_stops_the_benchmark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benchmarks.station.shutil.which", lambda *_, **__: None)
    with pytest.raises(Missing, match="apt-get install mosquitto"):
        Broker(tmp_path)
