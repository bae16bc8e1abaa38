"""A station with three GenTL cameras for as long as you like: nothing may grow, and nothing may be missing.

    python -m benchmarks.soak [--minutes 60] [--rate 10] [--broker-s 300] [--kill-s 180] [--change-s 600] [--json FILE]

Three cameras of viky (the GenTL simulator in the genicam package) run freely in their processes; each view is triggered
--rate times a second; overlays of every verdict; real Mosquitto, MQTT 5. Meanwhile the broker is restarted every --broker-s
(away for 5 s), a camera's process is killed every --kill-s, and the product changes every --change-s, to an engine that has to
be opened; 0: never. Once a second: memory, descriptors, threads and shared memory of every process. Exits 1 if memory grows in
both halves of the time after the first minute; if descriptors, threads or shared memory grow at all; if a gap in a camera's
frame numbers is not explained by its counters; if the verdicts triggered, recorded and received are not the same; if a camera
was restarted that nobody killed; if the p99 of the last quarter is more than 10 % above the first's; or if anything is left
when the station is closed.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.growth import FIELDS, Samples, halves, leftovers, trend
from benchmarks.soak_events import SCHEDULE, Events, Schedule
from benchmarks.soak_ledger import PATIENCE_S, Gaps, Latencies, Ledger, Receiver
from benchmarks.station import Broker, Missing, make_bundle, make_config, make_recipe, write_json
from edge.app import Assembly, assemble
from edge.cameras.supervision import SupervisedCamera
from edge.config import StationConfig, ViewConfig
from edge.demo.machine import collect
from edge.publishers.mqtt import OUTBOX_FILE
from edge.supervision import bound_arenas

VIEWS, PRODUCTS = ("north", "east", "south"), ("alpha", "beta")
SETTLE_S, WARM_UP_S = 60.0, 3.0
RING_SLOTS = 6
ARCHIVE_BYTES, QUEUE_BYTES = 100_000_000, 16_000_000
DRIFT = 0.10


def camera(serial: int) -> dict[str, Any]:
    """One viky camera, running freely, as the config writes it."""
    return {
        "kind": "genicam", "serial": str(serial), "producers": ["viky"], "pixel_format": "RGBa8", "size_wh": [400, 300],
        "frame_rate_hz": 25,
    }  # fmt: skip


def make_views(folder: Path, period_s: float) -> dict[str, dict[str, Any]]:
    """Recipes of three views for two products, one bundle for each product; what the config says of the views."""
    view = ViewConfig.model_validate({"recipe": "-", "camera": camera(0)})
    paths = collect("north", view, 15, folder / "shots")
    parts = {name: folder / name for name in (*PRODUCTS, "hold")}
    for part, some in zip(parts.values(), (paths[:5], paths[5:10], paths[10:]), strict=True):
        part.mkdir()
        for path in some:
            path.rename(part / path.name)
    # viky shows a square that bounces on white: there is nothing to register to.
    still = ("--registration", "none")
    for product in PRODUCTS:
        bundle = make_bundle(folder, f"viky-{product}", parts[product], *still)
        for name in VIEWS:
            make_recipe(folder / "made" / product, name, bundle, parts[product], parts["hold"], *still)
    trigger = {"kind": "continuous", "interval_s": period_s, "timeout_s": 5}
    recipe = folder / "made" / "{product}" / "recipes"
    return {
        name: {"recipe": str(recipe / name), "camera": camera(serial), "trigger": trigger} for serial, name in enumerate(VIEWS)
    }


@dataclass(frozen=True)
class Soaked:
    """What was seen."""

    samples: Samples
    before: dict[str, int]
    after: dict[str, int]
    triggered: dict[str, int]
    recorded: dict[str, int]
    received: dict[str, int]
    received_again: int
    unsent: int
    gaps: dict[str, Gaps]
    restarts: int
    events: Events
    outcomes: dict[str, int]
    p99_ms: list[float]

    def problems(self, settle_s: float = SETTLE_S) -> list[str]:
        """Everything that must not be, but for the trends of memory and latency."""
        found = [f"{name}: {self.before[name]} before, {count} after" for name, count in self.after.items()
                 if count > self.before[name]]  # fmt: skip
        late = self.samples.times >= settle_s
        for name in self.samples.names:
            for what in ("descriptors", "threads", "memfds", "memfd_kb"):
                values = self.samples.of(name, what)[late]
                values = values[~np.isnan(values)]
                if not len(values):
                    continue
                tenth = max(1, len(values) // 10)
                first, last = np.median(values[:tenth]), np.median(values[-tenth:])
                if last > first:
                    found.append(f"{name}: {what} grew from {first:g} to {last:g}")
        for view, count in self.triggered.items():
            if not count == self.recorded[view] == self.received[view]:
                found.append(f"{view}: {count} triggered, {self.recorded[view]} recorded, {self.received[view]} received")
        for view, gaps in self.gaps.items():
            if gaps.unexplained:
                found.append(f"{view}: frame numbers and counters disagree: {gaps}")
        if self.restarts != self.events.kills:
            found.append(f"cameras were started again {self.restarts} times, and killed {self.events.kills} times")
        if self.unsent:
            found.append(f"{self.unsent} results were left in the outbox")
        return [*found, *self.events.problems]

    @property
    def drift(self) -> float:
        """How much the last quarter's p99 is above the first's, as a share of it."""
        return self.p99_ms[-1] / self.p99_ms[0] - 1 if len(self.p99_ms) == 4 else 0.0


def soak(folder: Path, broker: Broker, seconds: float, rate_hz: float = 10.0, schedule: Schedule = SCHEDULE) -> Soaked:
    """Run a station in this process for so long; everything is closed when it returns."""
    views = make_views(folder, 1 / rate_hz)
    more: dict[str, Any] = {
        "pictures": {"publish": "all", "max_width": 400},
        "product": PRODUCTS[0],
        "changeover": {"warm_engines_mb": 0},
        # What waits for a busy disk is bounded too, and lower than by default: else it would look like growth.
        "archive": {"max_bytes": ARCHIVE_BYTES, "min_free_bytes": 0, "queue_bytes": QUEUE_BYTES},
    }
    first = make_config(_new(folder / "first"), broker.port, views, **more)
    _run(first, WARM_UP_S, broker, Events(Schedule(0, 0, 1)))  # what libraries keep for good (pools, caches) they have now
    config = make_config(_new(folder / "soak"), broker.port, views, **more)
    latencies, events = Latencies(int(1.2 * seconds * rate_hz * len(VIEWS)) + 100), Events(schedule)
    with Receiver(broker.port, config.station.topic, VIEWS, latencies) as receiver:
        before = leftovers()
        with Ledger.of(VIEWS).listening() as ledger:
            samples, restarts = _run(config, seconds, broker, events)
        after = leftovers()
        recorded, unsent = _recorded(Path(config.state_dir))
        deadline = time.monotonic() + PATIENCE_S
        while receiver.distinct != recorded and time.monotonic() < deadline:
            time.sleep(0.05)
        return Soaked(
            samples, before, after, ledger.triggered, recorded, receiver.distinct, receiver.again, unsent, ledger.gaps,
            restarts, events, receiver.outcomes, latencies.p99(),
        )  # fmt: skip


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _run(config: StationConfig, seconds: float, broker: Broker, events: Events) -> tuple[Samples, int]:
    with assemble(config) as assembly:
        cameras = _cameras(assembly)
        for camera in cameras.values():
            _await_frames(camera)
        processes = {f"camera {name}": (lambda camera=camera: camera.pid) for name, camera in cameras.items()}
        samples = Samples({"station": os.getpid(), **processes, "broker": lambda: broker.pid}, seconds)
        started = time.monotonic()
        for second in range(int(seconds)):
            time.sleep(max(0.0, started + second + 1 - time.monotonic()))
            samples.take(time.monotonic() - started)
            events.at(second + 1, int(seconds), assembly, broker, list(cameras.values()))
        events.over(broker)
    return samples, sum(camera.state.restarts for camera in cameras.values())


def _cameras(assembly: Assembly) -> dict[str, SupervisedCamera]:
    found = {name: view.camera for name, view in assembly.station.views.items()}
    return {name: camera for name, camera in found.items() if isinstance(camera, SupervisedCamera)}


def _await_frames(camera: SupervisedCamera) -> None:
    """Until it is open and sends frames."""
    deadline = time.monotonic() + PATIENCE_S
    while camera.state.frames == 0 or camera.pid is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no frame came: {camera.state}")
        time.sleep(0.05)


def _recorded(state_dir: Path) -> tuple[dict[str, int], int]:
    """Verdicts in the station's history per view, each trigger once; and how many results still wait to be sent."""
    numbers: dict[str, set[int]] = {view: set() for view in VIEWS}
    with closing(sqlite3.connect(f"file:{state_dir / OUTBOX_FILE}?mode=ro", uri=True)) as file:
        for (text,) in file.execute("SELECT body FROM results WHERE kind = 'verdict'"):
            body = json.loads(text)
            numbers[body["view"]].add(body["triggerNumber"])
        unsent = int(file.execute("SELECT count(*) FROM outbox WHERE priority = 0").fetchone()[0])
    return {view: len(found) for view, found in numbers.items()}, unsent


def report(soaked: Soaked) -> list[str]:
    """Print the tables; what was wrong."""
    samples, problems = soaked.samples, soaked.problems()
    late = samples.times >= SETTLE_S
    print(f"\n{'':46s}{'kB a minute (95 %)':^72s}{'fds an hour':>20s}")
    print(f"{'process':14s}{'RSS MB at 1 min':>16s}{'end':>8s}{'most':>8s}{'whole':>24s}{'first half':>24s}{'second half':>24s}"
          f"{'(95 %)':>20s}{'fds':>6s}{'threads':>8s}{'memfds':>7s}{'MB':>4s}")  # fmt: skip
    for name in samples.names:
        times, rss = samples.times[late], samples.of(name, "rss_kb")[late]
        if np.count_nonzero(~np.isnan(rss)) < 10:
            print(f"{name:14s} too short: memory is judged after the first minute")
            continue
        both, whole = halves(times, rss), trend(times, rss)
        files = trend(times, samples.of(name, "descriptors")[late] * 60)
        last = [samples.of(name, what)[-1] for what in FIELDS[1:]]
        seen = rss[~np.isnan(rss)] / 1024
        print(f"{name:14s}{seen[0]:16.1f}{seen[-1]:8.1f}{seen.max():8.1f}{whole!s:>24s}{both[0]!s:>24s}{both[1]!s:>24s}"
              f"{files!s:>20s}{last[0]:6.0f}{last[1]:8.0f}{last[2]:7.0f}{last[3] / 1024:4.0f}")  # fmt: skip
        if not any(half.is_flat for half in both):
            problems.append(f"{name}: memory grows by {both[0]}, then {both[1]} kB a minute")
    print(f"\n{'view':8s}{'triggered':>10s}{'recorded':>10s}{'received':>10s}{'frames':>8s}{'missing':>8s}{'lost':>6s}"
          f"{'incomplete':>11s}{'skipped':>8s}{'unexplained':>12s}")  # fmt: skip
    for view, gaps in soaked.gaps.items():
        print(f"{view:8s}{soaked.triggered[view]:10d}{soaked.recorded[view]:10d}{soaked.received[view]:10d}{gaps.frames:8d}"
              f"{gaps.missing:8d}{gaps.lost:6d}{gaps.incomplete:11d}{gaps.skipped:8d}{gaps.unexplained:12d}")  # fmt: skip
    said = ", ".join(f"{count} {name}" for name, count in sorted(soaked.outcomes.items()))
    print(f"\n{said}; {soaked.received_again} received twice; before {soaked.before}, after {soaked.after}")
    print(soaked.events)
    quarters = ", ".join(f"{ms:.1f}" for ms in soaked.p99_ms)
    print(f"p99 from the frame to the durable verdict, each quarter of the time: {quarters} ms: {soaked.drift:+.1%}")
    if soaked.drift > DRIFT:
        problems.append(f"the p99 of the last quarter is {soaked.drift:.0%} above the first's")
    return problems


def main() -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=10.0, metavar="HZ", help="triggers per view and second (default 10)")
    for name, default in asdict(SCHEDULE).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, metavar="S")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample here")
    args = parser.parse_args()
    schedule = Schedule(args.broker_s, args.kill_s, args.change_s)
    bound_arenas()  # as `lineclear run` does
    began = time.monotonic()
    print(f"load average at the start: {os.getloadavg()}, {os.cpu_count()} cores", flush=True)
    try:
        with tempfile.TemporaryDirectory() as scratch, Broker(Path(scratch), *keeping(Path(scratch))) as broker:
            soaked = soak(Path(scratch), broker, args.minutes * 60, args.rate, schedule)
    except Missing as error:
        print(error, file=sys.stderr)
        return 3
    print(f"{time.monotonic() - began:.0f} s; load average at the end: {os.getloadavg()}")
    problems = report(soaked)
    write_json(args.json, _as_json(soaked))
    for problem in problems:
        print(f"PROBLEM {problem}")
    print("nothing grew, nothing is missing" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


def keeping(folder: Path) -> list[str]:
    """Configuration of a broker that knows its sessions again after a restart."""
    return ["persistence true", f"persistence_location {folder}/"]


def _as_json(soaked: Soaked) -> dict[str, Any]:
    samples = soaked.samples
    series = {
        name: {what: [None if np.isnan(value) else value for value in samples.of(name, what).tolist()] for what in FIELDS}
        for name in samples.names
    }
    counts = {view: asdict(gaps) for view, gaps in soaked.gaps.items()}
    return {
        "times_s": samples.times.tolist(), "processes": series, "frames": counts, "triggered": soaked.triggered,
        "recorded": soaked.recorded, "received": soaked.received, "p99_ms": soaked.p99_ms, "outcomes": soaked.outcomes,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
