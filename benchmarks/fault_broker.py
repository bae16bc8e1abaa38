"""Faults of the broker: the judge never waits for it, and what it missed comes when it is back."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.fault_disks import fill, small_disk
from benchmarks.fault_rig import Rig, Row, rig
from benchmarks.station import Broker

AWAY_S, SLOW_BYTES_S = 5.0, 8_000


def broker(folder: Path) -> Iterator[Row]:
    """On one station, one after the other; then one with a slow wire between."""
    with rig(folder / "broker") as (station, served):
        yield killed(station, served)
        yield hung(station, served)
        yield refusing(station, served)
        yield flapping(station, served)
    yield full_disk(folder / "full")
    yield slow(folder / "slow")


def away(station: Rig, break_it: Callable[[], object], mend: Callable[[], object], away_s: float) -> tuple[float, float]:
    """Seconds until the station says that its broker is away, and from the mending until the outbox is empty."""
    station.calm()
    break_it()
    station.excuse()
    detect_s = station.until(lambda: station.warned("mqtt"), "that it says its broker is away")
    at, began_s = station.last(), time.monotonic()
    station.until(lambda: time.monotonic() - began_s > away_s and station.outcome(at, "FAIL"), "that it judges all the same")
    mend()
    return detect_s, station.until(lambda: station.waiting() == 0, "an empty outbox", 120)


def killed(station: Rig, served: Broker) -> Row:
    """SIGKILL, and 5 s later it is back."""
    times = away(station, lambda: served.stop(signal.SIGKILL), served.start, AWAY_S)
    return station.row("broker: SIGKILL, away 5 s", "judges on; results wait on the disk and follow", *times)


def hung(station: Rig, served: Broker) -> Row:
    """SIGSTOP: the connection stands, nobody answers."""
    times = away(station, lambda: os.kill(served.pid, signal.SIGSTOP), lambda: os.kill(served.pid, signal.SIGCONT), AWAY_S)
    does = "judges on; leaves the connection (here after 5 s: ack_timeout_s, keepalive_s), results follow"
    return station.row("broker: hung (SIGSTOP)", does, *times)


def refusing(station: Rig, served: Broker) -> Row:
    """It accepts connections and closes them: its listener is somebody else's now."""
    stop = threading.Event()

    def break_it() -> None:
        served.stop(signal.SIGKILL)
        threading.Thread(target=_refuse, args=(served.port, stop), daemon=True).start()

    def mend() -> None:
        stop.set()
        time.sleep(0.5)
        served.start()

    times = away(station, break_it, mend, AWAY_S)
    return station.row("broker: refuses every client", "judges on; tries again with a growing pause", *times)


def _refuse(port: int, stop: threading.Event) -> None:
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(0.1)
        while not stop.is_set():
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                continue
            peer.settimeout(1.0)
            try:
                peer.recv(1000)
                peer.sendall(b"\x20\x03\x00\x87\x00")  # CONNACK, MQTT 5: not authorised
            except OSError:
                pass
            peer.close()


def flapping(station: Rig, served: Broker) -> Row:
    """Up for a second, down for a second, ten times."""

    def break_it() -> None:
        for _ in range(10):
            served.stop()
            time.sleep(1.0)
            served.start()
            time.sleep(1.0)
        served.stop()

    times = away(station, break_it, served.start, 0.0)
    return station.row("broker: flapping (10 times in 20 s)", "judges on; results follow", None, times[1])


def full_disk(folder: Path) -> Row:
    """Its database lies on a disk that is full: it cannot save its sessions and what waits in them."""
    with small_disk(folder / "disk", 4) as disk, rig(folder / "station", kept=disk) as (station, _):
        station.calm()
        fill(disk)
        at, began_s = station.last(), time.monotonic()
        station.until(
            lambda: time.monotonic() - began_s > AWAY_S and station.outcome(at, "FAIL"), "that it judges all the same"
        )
        recover_s = station.until(lambda: station.waiting() == 0, "an empty outbox")
        does = "nothing to see from here: Mosquitto acknowledges what it cannot save. Watch the broker's own disk"
        return station.row("broker: its disk is full", does, None, recover_s)


class SlowWire:
    """Passes on what comes, at so many bytes a second in each direction."""

    def __init__(self, target: int, bytes_s: int) -> None:
        self._target, self.bytes_s = target, bytes_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No new connections; those there end with their peers."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(512):
                time.sleep(len(data) / self.bytes_s)
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            one.close()


def slow(folder: Path) -> Row:
    """A wire of 8 kB/s under 10 results a second of about 2 kB."""
    wires: list[SlowWire] = []

    def wired(served: Broker) -> int:
        wires.append(SlowWire(served.port, 10_000_000))
        return wires[0].port

    with rig(folder / "station", wire=wired) as (station, _):
        try:
            wires[0].bytes_s = SLOW_BYTES_S
            detect_s = station.until(lambda: station.waiting() > 20, "results that wait")
            at = station.last()
            station.until(lambda: len(station.seen(at)) > 50, "that it judges all the same")
            wires[0].bytes_s = 10_000_000
            recover_s = station.until(lambda: station.waiting() == 0, "an empty outbox", 120)
            does = "judges on; results wait on the disk (health: outbox.results, outbox.oldest_s)"
            return station.row("broker: slow (8 kB/s)", does, detect_s, recover_s)
        finally:
            wires[0].close()
