"""A station with three GenTL cameras for as long as you like: nothing may grow, and nothing may be missing.

    python -m benchmarks.soak [--minutes 10] [--rate 10] [--json FILE]

Three cameras of viky (the GenTL simulator in the genicam package) run freely in their processes; each view is triggered
--rate times a second; overlays of every verdict; real Mosquitto, MQTT 5. Once a second: memory, descriptors, threads and
shared memory of every process. Exits 1 if memory grows in both halves of the time after the first minute; if descriptors,
threads or shared memory grow at all; if a gap in a camera's frame numbers is not explained by its counters; if the verdicts
triggered, recorded and received are not the same; or if anything is left when the station is closed.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.growth import FIELDS, Samples, halves, leftovers
from benchmarks.station import Broker, Missing, make_bundle, make_config, make_recipe, tapped, write_json
from edge.app import assemble
from edge.cameras.supervision import SupervisedCamera
from edge.config import StationConfig, ViewConfig
from edge.demo.machine import collect
from edge.loop.tickets import Ticket, TicketCounter
from edge.publishers.mqtt import OUTBOX_FILE
from edge.types import Frame

VIEWS = ("north", "east", "south")
SETTLE_S, WARM_UP_S, PATIENCE_S = 60.0, 3.0, 20.0
RING_SLOTS = 6


def camera(serial: int) -> dict[str, Any]:
    """One viky camera, running freely, as the config writes it."""
    return {
        "kind": "genicam", "serial": str(serial), "producers": ["viky"], "pixel_format": "RGBa8", "size_wh": [400, 300],
        "frame_rate_hz": 25,
    }  # fmt: skip


def make_views(folder: Path, period_s: float) -> dict[str, dict[str, Any]]:
    """Recipes of three views, one bundle for all; what the config says of them."""
    build, hold = folder / "build", folder / "hold"
    view = ViewConfig.model_validate({"recipe": "-", "camera": camera(0)})
    hold.mkdir()
    for path in collect("north", view, 10, build)[5:]:
        path.rename(hold / path.name)
    # viky shows a square that bounces on white: there is nothing to register to.
    still = ("--registration", "none")
    bundle = make_bundle(folder, "viky", build, *still)
    trigger = {"kind": "continuous", "interval_s": period_s, "timeout_s": 5}
    return {
        name: {
            "recipe": str(make_recipe(folder, name, bundle, build, hold, *still)),
            "camera": camera(serial),
            "trigger": trigger,
        }
        for serial, name in enumerate(VIEWS)
    }


class Receiver:
    """An MES on the broker that keeps no more than it must: which triggers of which view were answered, and how often."""

    def __init__(self, port: int, topic: str) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="soak", protocol=paho.MQTTv5)
        self._ready = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe(f"{topic}/view/+/result", 1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _, __, message: self._receive(bytes(message.payload))
        self._port = port
        self._next = dict.fromkeys(VIEWS, 1)
        self._ahead: dict[str, set[int]] = {view: set() for view in VIEWS}
        self.distinct = dict.fromkeys(VIEWS, 0)
        self.again = 0
        self.outcomes: dict[str, int] = {}

    def __enter__(self) -> Receiver:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        if not self._ready.wait(PATIENCE_S):
            raise RuntimeError("the broker gave no subscription")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _receive(self, payload: bytes) -> None:
        body = json.loads(payload)
        view, number = body["view"], body["triggerNumber"]
        name = body["outcome"] + (f" {body['reason']['code']}" if body["reason"] else "")
        ahead = self._ahead[view]
        if number < self._next[view] or number in ahead:
            self.again += 1
            return
        ahead.add(number)
        while self._next[view] in ahead:
            ahead.remove(self._next[view])
            self._next[view] += 1
        self.distinct[view] += 1
        self.outcomes[name] = self.outcomes.get(name, 0) + 1


@dataclass
class Gaps:
    """Frame numbers of one camera. missing: numbers that never came; explained: those that its counters name.

    worst: the most that was ever missing beyond what was explained at that moment; ahead: the most that the counters were
    ahead of the numbers (frames thrown away whose successor had not been fetched yet: at most what the ring holds).
    """

    frames: int = 0
    last: int | None = None
    missing: int = 0
    lost: int = 0
    incomplete: int = 0
    skipped: int = 0
    skipped_at_first: int = 0
    worst: int = 0
    ahead: int = 0

    def add(self, frame: Frame, skipped: int) -> None:
        """One more frame, and how many the camera has skipped so far."""
        self.frames += 1
        if self.last is None:
            self.skipped_at_first = skipped
        else:
            self.missing += frame.number - self.last - 1
            self.lost += frame.lost_before
            self.incomplete += frame.incomplete_before
        self.skipped = skipped - self.skipped_at_first
        self.last = frame.number
        surplus = self.lost + self.incomplete + self.skipped - self.missing
        self.worst, self.ahead = max(self.worst, -surplus), max(self.ahead, surplus)


@dataclass
class Ledger:
    """What went into the station: triggers per view, frames per camera."""

    triggered: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VIEWS, 0))
    gaps: dict[str, Gaps] = field(default_factory=lambda: {view: Gaps() for view in VIEWS})

    @contextmanager
    def listening(self) -> Iterator[Ledger]:
        """It counts."""
        with ExitStack() as stack:
            stack.enter_context(tapped(TicketCounter, "issue", self._issued))
            stack.enter_context(tapped(SupervisedCamera, "grab", self._grabbed))
            yield self

    def _issued(self, _from: int, _to: int, ticket: Ticket, *_: Any) -> None:
        self.triggered[ticket.view] += 1

    def _grabbed(self, _from: int, _to: int, frame: Frame | None, source: SupervisedCamera, *_: Any) -> None:
        if frame is not None:
            self.gaps[frame.view].add(frame, source.state.skipped)


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
    outcomes: dict[str, int]

    def problems(self, settle_s: float = SETTLE_S) -> list[str]:
        """Everything that must not be, but for the memory's trend."""
        found = [f"{name}: {self.before[name]} before, {count} after" for name, count in self.after.items()
                 if count > self.before[name]]  # fmt: skip
        late = self.samples.times >= settle_s
        for name in self.samples.names:
            for what in ("descriptors", "threads", "memfds", "memfd_kb"):
                values = self.samples.of(name, what)[late]
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
            if gaps.worst > 0 or gaps.ahead > RING_SLOTS + 1:
                found.append(f"{view}: frame numbers and counters disagree: {gaps}")
        if self.restarts:
            found.append(f"cameras were started again {self.restarts} times")
        if self.unsent:
            found.append(f"{self.unsent} results were left in the outbox")
        return found


def soak(folder: Path, broker: Broker, seconds: float, rate_hz: float = 10.0) -> Soaked:
    """Run a station in this process for so long; everything is closed when it returns."""
    views = make_views(folder, 1 / rate_hz)
    first = make_config(_new(folder / "first"), broker.port, views, pictures={"publish": "all", "max_width": 400})
    _run(first, WARM_UP_S, {})  # what libraries keep for good (thread pools, caches) they have now
    config = make_config(_new(folder / "soak"), broker.port, views, pictures={"publish": "all", "max_width": 400})
    with Receiver(broker.port, config.station.topic) as receiver:
        before = leftovers()
        with Ledger().listening() as ledger:
            samples, restarts = _run(config, seconds, {"broker": broker.pid})
        after = leftovers()
        recorded, unsent = _recorded(Path(config.state_dir))
        deadline = time.monotonic() + PATIENCE_S
        while receiver.distinct != recorded and time.monotonic() < deadline:
            time.sleep(0.05)
        return Soaked(
            samples, before, after, ledger.triggered, recorded, receiver.distinct, receiver.again, unsent, ledger.gaps,
            restarts, receiver.outcomes,
        )  # fmt: skip


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _run(config: StationConfig, seconds: float, others: dict[str, int]) -> tuple[Samples, int]:
    with assemble(config) as assembly:
        cameras = {name: view.camera for name, view in assembly.station.views.items()}
        pids = {f"camera {name}": _pid_of(camera) for name, camera in cameras.items()}
        samples = Samples({"station": psutil.Process().pid, **pids, **others}, seconds)
        started = time.monotonic()
        for second in range(int(seconds)):
            time.sleep(max(0.0, started + second + 1 - time.monotonic()))
            samples.take(time.monotonic() - started)
    return samples, sum(camera.state.restarts for camera in cameras.values() if isinstance(camera, SupervisedCamera))


def _pid_of(camera: object) -> int:
    """The camera's process, once it is open and sends frames."""
    assert isinstance(camera, SupervisedCamera)
    deadline = time.monotonic() + PATIENCE_S
    while camera.state.frames == 0 or camera.pid is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no frame came: {camera.state}")
        time.sleep(0.05)
    return camera.pid


def _recorded(state_dir: Path) -> tuple[dict[str, int], int]:
    """Verdicts in the station's history per view, each trigger once; and how many results still wait to be sent."""
    with closing(sqlite3.connect(f"file:{state_dir / OUTBOX_FILE}?mode=ro", uri=True)) as file:
        bodies = [json.loads(body) for (body,) in file.execute("SELECT body FROM results WHERE kind = 'verdict'")]
        unsent = int(file.execute("SELECT count(*) FROM outbox WHERE priority = 0").fetchone()[0])
    return {view: len({body["triggerNumber"] for body in bodies if body["view"] == view}) for view in VIEWS}, unsent


def report(soaked: Soaked) -> list[str]:
    """Print the tables; what was wrong."""
    samples, problems = soaked.samples, soaked.problems()
    late = samples.times >= SETTLE_S
    print(f"\n{'':46s}{'kB a minute (95 %)':^48s}")
    print(f"{'process':14s}{'RSS MB at 1 min':>16s}{'end':>8s}{'most':>8s}{'first half':>24s}{'second half':>24s}"
          f"{'fds':>6s}{'threads':>8s}{'memfds':>7s}{'MB':>4s}")  # fmt: skip
    for name in samples.names:
        rss = samples.of(name, "rss_kb")[late]
        if len(rss) < 10:
            print(f"{name:14s} too short: memory is judged after the first minute")
            continue
        both = halves(samples.times[late], rss)
        last = [samples.of(name, what)[-1] for what in FIELDS[1:]]
        print(f"{name:14s}{rss[0] / 1024:16.1f}{rss[-1] / 1024:8.1f}{rss.max() / 1024:8.1f}{both[0]!s:>24s}{both[1]!s:>24s}"
              f"{last[0]:6.0f}{last[1]:8.0f}{last[2]:7.0f}{last[3] / 1024:4.0f}")  # fmt: skip
        if not any(half.is_flat for half in both):
            problems.append(f"{name}: memory grows by {both[0]}, then {both[1]} kB a minute")
    print(f"\n{'view':8s}{'triggered':>10s}{'recorded':>10s}{'received':>10s}{'frames':>8s}{'missing':>8s}{'lost':>6s}"
          f"{'incomplete':>11s}{'skipped':>8s}{'unexplained':>12s}")  # fmt: skip
    for view, gaps in soaked.gaps.items():
        print(f"{view:8s}{soaked.triggered[view]:10d}{soaked.recorded[view]:10d}{soaked.received[view]:10d}{gaps.frames:8d}"
              f"{gaps.missing:8d}{gaps.lost:6d}{gaps.incomplete:11d}{gaps.skipped:8d}{gaps.worst:12d}")  # fmt: skip
    said = ", ".join(f"{count} {name}" for name, count in sorted(soaked.outcomes.items()))
    print(f"\n{said}; {soaked.received_again} received twice; before {soaked.before}, after {soaked.after}")
    return problems


def main() -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=10.0, metavar="HZ", help="triggers per view and second (default 10)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample here")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch, Broker(Path(scratch)) as broker:
            soaked = soak(Path(scratch), broker, args.minutes * 60, args.rate)
    except Missing as error:
        print(error, file=sys.stderr)
        return 3
    problems = report(soaked)
    write_json(args.json, _as_json(soaked))
    for problem in problems:
        print(f"PROBLEM {problem}")
    print("nothing grew, nothing is missing" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


def _as_json(soaked: Soaked) -> dict[str, Any]:
    samples = soaked.samples
    series = {name: {what: samples.of(name, what).tolist() for what in FIELDS} for name in samples.names}
    counts = {view: asdict(gaps) for view, gaps in soaked.gaps.items()}
    return {"times_s": samples.times.tolist(), "processes": series, "frames": counts, "triggered": soaked.triggered}


if __name__ == "__main__":
    sys.exit(main())
