"""`lineclear run`: the station, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from types import FrameType

from edge.app import assemble
from edge.config import load_config

log = logging.getLogger(__name__)


def run(config_path: Path) -> int:
    """Run the station of `config_path` in the foreground; 0 after a clean stop. Raises ConfigError, StationBusy."""
    config = load_config(config_path)
    stop = threading.Event()

    def ask_to_stop(number: int, _: FrameType | None) -> None:
        log.info("stopping signal=%s", signal.Signals(number).name)
        stop.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with assemble(config) as assembly:
            log.info("station_ready topic=%s views=%s", config.station.topic, ",".join(config.views))
            assembly.station.run(stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    log.info("station_stopped topic=%s", config.station.topic)
    return 0
