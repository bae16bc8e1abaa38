"""Somebody writes garbage into the config of a station that runs; some day it is started again."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.fault_rig import Row, rig
from tests.supervision.systemd import service

GARBAGE = "views: {feeder: [not, a, view\n\x00"


def config(folder: Path) -> Iterator[Row]:
    """Garbage under a running station, a power cut, a start in safe mode, a mended file."""
    folder = folder / "config"
    with rig(folder) as (station, _):
        station.until((folder / "station.yaml.last-good").exists, "that its config is kept")
        station.calm()
        sound = station.config.read_text()
        station.config.write_text(GARBAGE)
        detect_s = station.until(lambda: station.mes.alarms.get("config_changed"), "the alarm")
        goes_on_s = station.back()
        station.running.process.send_signal(signal.SIGKILL)
        station.running.process.wait(30)
        with service(station.config, folder) as safe:
            other = station.restarted(safe)
            at, began_s = other.last(), time.monotonic()
            other.until(lambda: other.outcome(at, "safe_mode"), "UNDECIDED(safe_mode)")
            safe_s = time.monotonic() - began_s
            assert safe.status.startswith("safe_mode"), safe.status
            station.config.write_text(sound)
            safe.process.send_signal(signal.SIGTERM)
            safe.ended()
        with service(station.config, folder) as again:
            other = station.restarted(again)
            recover_s = other.until(lambda: again.ready, "READY") + other.back()
            does = "goes on, alarm config_changed; started again it is in safe mode: UNDECIDED(safe_mode) until it is mended"
            note = f"went on judging ({goes_on_s:.1f} s); safe mode {safe_s:.1f} s after the start"
            yield other.row("config: garbage under a running station", does, detect_s, recover_s, note=note)
