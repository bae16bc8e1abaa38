"""100,000 fuzzed commands against a running station: `python -m benchmarks.commands [--count N] [--mosquitto]`.

A station of two views judges frames one after the other, alone, and then while somebody floods it: once with the limits that
a station has, so that most is dropped unread, and once with every message looked at. Printed is how long a verdict takes from
its trigger in each case, its ratio to the quiet station, and the memory of the process before the flood, when the line was
full once, and after each quarter of it. Without --mosquitto the flood is made in the station's own process, which is harder
on it than any broker; with it, by another program, and the process that is measured holds the station alone: neither who
floods it nor the broker's log.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import paho.mqtt.client as paho
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from edge.commands.desk import CommandDesk
from edge.publishers.base import Incoming
from edge.publishers.memory import MemoryPublisher
from edge.publishers.mqtt import MqttPublisher
from edge.settings.mqtt import MemorySettings, StationAddress
from tests.commands.floods import fuzzed
from tests.commands.parts import CLEAN, ROOT, Rig, running, settings
from tests.mosquitto import Mosquitto
from tests.publishers.samples import mqtt_settings
from tests.station_parts import make_recipe

LIMIT_S = 5.0
"""TriggerSettings.timeout_s: a verdict that takes longer is UNDECIDED(frame_timeout)."""
QUIET_VERDICTS = 300
ARRIVAL_S, SILENCE_S = 60.0, 2.0
READY_S = 10.0
PARTS = 4
"""The flood comes in so many parts, each from a seed of its own; memory is read after each."""
KEPT = 500
OPEN = {"per_s": 100_000, "burst": 100_000, "waiting": 10_000}
FILLING = 12_000
RIGHTS = {"plc": ("reader", "cancel", "recipe")}


class Judged:
    """Asks for one verdict after the other, in a thread, and notes how long each took."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._stop = threading.Event()
        self.took_ms: list[float] = []
        self.outcomes: set[str] = set()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Judged:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        for view in itertools.cycle(("front", "back")):
            if self._stop.is_set():
                return
            began = time.perf_counter()
            (answer,) = self._rig.station.ask(view, 1, LIMIT_S, None)
            self.outcomes.add(answer.result().outcome.value)
            self.took_ms.append((time.perf_counter() - began) * 1000)
            self._stop.wait(0.01)


def flood(messages: Iterable[Incoming], send: Callable[[Incoming], Any], waiting: Callable[[], int]) -> float:
    """Send them as fast as they are taken; seconds until the last one was looked at."""
    began = time.perf_counter()
    for number, message in enumerate(messages):
        send(message)
        while number % 100 == 0 and waiting() > 1000:
            time.sleep(0.001)
    while waiting():
        time.sleep(0.001)
    return time.perf_counter() - began


def arrival(rig: Rig) -> float:
    """Seconds until the broker has handed over what it took."""
    began, last, seen = time.perf_counter(), 0.0, -1
    while time.perf_counter() - began - last < ARRIVAL_S:
        now = sum(int(value or 0) for key, value in rig.commands.values().items() if key.startswith("commands."))
        if now != seen:
            seen, last = now, time.perf_counter() - began
        if now == seen and time.perf_counter() - began - last > SILENCE_S:
            break
        time.sleep(0.05)
    return last


@contextmanager
def silent_broker(folder: Path) -> Iterator[int]:
    """The port of a Mosquitto that logs nothing: the tests' one writes six lines a command, which this process would keep."""
    broker = Mosquitto(folder)
    command = [broker._binary, "-c", str(broker._config)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", broker.port)):
                break
            time.sleep(0.05)
        yield broker.port
    finally:
        process.terminate()
        process.wait(READY_S)


def send_all(port: int, count: int, seed: int) -> None:
    """The flood as another program: at QoS 0, so that nothing slows it down but the network."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for message in fuzzed(seed, count):
        client.publish(f"{ROOT}/{message.topic}", message.payload[:200_000], 0)
        while len(client._out_packet) > 200:
            time.sleep(0.001)
    while client.want_write():
        time.sleep(0.01)
    client.disconnect()
    client.loop_stop()


def flood_from_outside(rig: Rig, port: int, count: int, seed: int) -> float:
    """Seconds until all of it was looked at or dropped."""
    began = time.perf_counter()
    asked = ["--send-to", str(port), "--count", str(count), "--seed", str(seed)]
    subprocess.run([sys.executable, "-m", "benchmarks.commands", *asked], check=True)
    return time.perf_counter() - began + arrival(rig)


def fill(desk: CommandDesk, send: Callable[[], Any]) -> None:
    """Once the longest line that there can be, then all of it is looked at: memory that grows after this is kept for good."""
    hold = threading.Event()

    def wait() -> None:
        hold.wait()

    desk._front.offer(wait, urgent=True)
    send()
    hold.set()
    while desk._front._waiting:
        time.sleep(0.001)


def measure(folder: Path, count: int, *, is_open: bool, over_mqtt: bool) -> Iterator[tuple[str, Any]]:
    """One station: quiet, then flooded."""
    with ExitStack() as stack:
        publisher: Any = MemoryPublisher(MemorySettings(kind="memory", keep=KEPT))
        if over_mqtt:
            port = stack.enter_context(silent_broker(folder))
            site = StationAddress(site="hamburg", area="packaging", line="line 3", station="north")
            publisher = MqttPublisher(mqtt_settings(port), site, folder)
        config = settings(rights=RIGHTS, **(OPEN if is_open else {}))
        rig = stack.enter_context(running(folder / "recipes", folder, config, [CLEAN] * 100_000, publisher, pass_share=0.0))
        with Judged(rig) as quiet:
            while len(quiet.took_ms) < QUIET_VERDICTS:
                time.sleep(0.01)
        desk, process = rig.commands._desk, psutil.Process()
        assert desk is not None
        if over_mqtt:
            fill(desk, lambda: flood_from_outside(rig, port, FILLING, 0))
        else:
            fill(desk, lambda: deque(map(desk.receive, fuzzed(0, FILLING)), maxlen=0))
        dropped = sum_of(rig.commands.values(), "dropped")
        took_s, held_mb = 0.0, [process.memory_info().rss / 1e6]
        with Judged(rig) as busy:
            for seed in range(1, PARTS + 1):
                if over_mqtt:
                    took_s += flood_from_outside(rig, port, count // PARTS, seed)
                else:
                    took_s += flood(fuzzed(seed, count // PARTS), desk.receive, lambda: desk._front._waiting)
                held_mb.append(process.memory_info().rss / 1e6)
        counted = {key: value for key, value in rig.commands.values().items() if key.startswith("commands.")}
        yield (
            "commands",
            f"{count} in {took_s:.1f} s ({count / took_s:.0f}/s), {sum_of(counted, 'dropped') - dropped} dropped unread",
        )
        for name, look in (("median", statistics.median), ("p99", p99), ("longest", max)):
            one, other = look(quiet.took_ms), look(busy.took_ms)
            yield f"verdict, {name}", f"quiet {one:.1f} ms, flooded {other:.1f} ms, ratio {other / one:.2f}"
        yield "verdicts flooded", f"{len(busy.took_ms)}, {'/'.join(sorted(busy.outcomes))}"
        yield "longest against the limit", f"{max(busy.took_ms) / 1000 / LIMIT_S:.4f} of {LIMIT_S:g} s"
        yield "memory before and at quarters", f"{', '.join(f'{held:.1f}' for held in held_mb)} MB"
        yield "memory, second half", f"{held_mb[-1] - held_mb[PARTS // 2]:+.1f} MB"
        yield "faults of the software", str(sum_of(counted, "internal"))


def sum_of(counted: dict[str, Any], outcome: str) -> int:
    return sum(value for key, value in counted.items() if key.endswith(f".{outcome}"))


def p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--mosquitto", action="store_true", help="over a real broker")
    parser.add_argument("--send-to", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.send_to:
        send_all(arguments.send_to, arguments.count, arguments.seed)
        return
    cv2.setNumThreads(1)
    logging.disable(logging.CRITICAL)
    for title, is_open in (("with the limits of a station", False), ("with every message looked at", True)):
        print(title)
        folder = Path(tempfile.mkdtemp(prefix="lineclear-commands-"))
        try:
            for view in ("front", "back"):
                make_recipe(folder / "recipes" / "aspirin", view)
            for name, figure in measure(folder, arguments.count, is_open=is_open, over_mqtt=arguments.mosquitto):
                print(f"  {name:30} {figure}")
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
