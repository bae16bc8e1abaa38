"""What is watched of a station, what happens when a part hangs, and whether it judges or runs in safe mode."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from edge.changeover import Place, Seats
from edge.clearance import Clearances
from edge.errors import Cancelled, ConfigError, OutboxError
from edge.health import Health
from edge.loop import Station, Witness
from edge.parts import check_engine, make_engine
from edge.publishers.base import Publisher, Threaded
from edge.publishers.station_payloads import StationStatus, ViewState, alarm_record
from edge.safe_mode import ConfigWatch, Proving, SafeSeats
from edge.schema import read_json
from edge.settings.engines import EngineSettings, OnnxRuntimeSettings, SimulatedEngineSettings, needs_parity
from edge.settings.trust import TrustSettings
from edge.supervision import BUILDING, ENGINE, OPENING, Late, Pulses, Supervisor
from edge.types import ReasonCode

log = logging.getLogger(__name__)

LAST_FAULT: Final = "last-fault.json"
SENDER_S, ARCHIVE_S, CLEARANCE_S, START_S = 120.0, 120.0, 60.0, 120.0
Values = dict[str, float | int | str | bool | None]


@dataclass(frozen=True)
class Parts:
    """What is watched beside the station's own threads."""

    station: Station
    publisher: Publisher
    clearances: Clearances
    archive: Threaded


class Watching:
    """Handed to `assemble`; as it comes, nothing is watched: for a check, a demo, a test.

    safe_mode: why nothing may be judged, "" for a station that judges. proving: keeps the config once it ran well.
    config_watch: notices that the config's file was changed. stop: set when the station must end because a part hangs, and by
    whoever else wants it to stop.
    """

    def __init__(
        self,
        supervisor: Supervisor | None = None,
        *,
        safe_mode: str = "",
        proving: Proving | None = None,
        config_watch: ConfigWatch | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.safe_mode = safe_mode
        self.pulses = supervisor.pulses if supervisor is not None else Pulses()
        self._supervisor = supervisor
        self._proving = proving
        self._config_watch = config_watch
        self._stop = stop or threading.Event()
        self._last_fault: Mapping[str, Any] = {}
        self._began_s = time.monotonic()
        # From here on and not from `begin`: a disk that hangs holds up whoever makes or locks the state folder, too.
        self.pulses.probe("start", self._opening_s, START_S, "the station is still opening its parts")

    def begin(self, state_dir: Path) -> None:
        """The station begins to open, which may not take for ever; engines have a limit of their own."""
        self._began_s = time.monotonic()
        self._last_fault = _read(state_dir / LAST_FAULT)

    def _opening_s(self) -> float:
        if self.pulses.at(OPENING, BUILDING) is not None:
            self._began_s = time.monotonic()
        return time.monotonic() - self._began_s

    def seats(self, places: tuple[Place, ...], settings: EngineSettings, trust: TrustSettings | None = None) -> Seats:
        """Where recipes are loaded; in safe mode, where none is. EngineFault: the configured GPU is not there."""
        if self.safe_mode:
            return SafeSeats(places, self.safe_mode)
        check_engine(settings)
        builds = not isinstance(settings, OnnxRuntimeSettings | SimulatedEngineSettings)
        make, required = (lambda bundle: make_engine(settings, bundle)), needs_parity(settings)
        return Seats(places, make, builds=builds, progress=self.progress, needs_parity=required, trust=trust)

    def progress(self, phase: str, done: int, total: int) -> None:
        """A BuildProgress: an engine is being built. Cancelled: the station was asked to stop."""
        if self._stop.is_set():
            raise Cancelled("the station was asked to stop while an engine was built", remedy="it is built at the next start")
        if self._supervisor is not None:
            self._supervisor.progress(phase, done, total)

    @property
    def why_ending(self) -> str:
        """What hangs, if the station ends for that; "" if it was asked to stop."""
        return str(self._supervisor.fatal or "") if self._supervisor is not None else ""

    @property
    def witness(self) -> Witness:
        """Its figures and alarms, and who hears the state."""
        return Witness(self._health, self._alarms, self._told)

    def attach(self, parts: Parts, health: Health, state_dir: Path, now: Callable[[], datetime]) -> None:
        """Every part is open: watch them from now on."""
        self.pulses.forget("start")
        if self._supervisor is None:
            return
        publisher, archive, clearances = parts.publisher, parts.archive, parts.clearances
        if isinstance(publisher, Threaded):
            self.pulses.probe("mqtt-sender", lambda: publisher.idle_s, SENDER_S, "nothing goes to the broker")
        # A new process does not mend a disk that hangs: the archive's is told, the judge goes on.
        self.pulses.probe("archive", lambda: archive.idle_s, ARCHIVE_S, "its disk does not answer", is_fatal=False)
        self.pulses.probe("clearance", lambda: clearances.over_s, CLEARANCE_S, "a clearance does not end")
        self._supervisor.counts = lambda: _counts(health)
        self._supervisor.failed = lambda late: self._failed(late, parts, state_dir, now)
        self._supervisor.opened()

    def _failed(self, late: Late, parts: Parts, state_dir: Path, now: Callable[[], datetime]) -> None:
        """Somebody hears of it first, then all who wait get their answer; only then is anything closed."""
        with suppress(OutboxError):
            parts.publisher.publish(alarm_record("supervision", f"{late}: the station ends and is started again", now()))
        code = ReasonCode.ENGINE_FAULT if late.kind == ENGINE else ReasonCode.INTERNAL
        parts.station.abandon(code, f"{late}: the station ends itself; ask again when it runs")
        _write(state_dir / LAST_FAULT, {"why": str(late), "at": now().isoformat(timespec="seconds")})
        self._stop.set()

    def _health(self) -> Values:
        values: Values = dict(self._supervisor.health()) if self._supervisor is not None else {}
        values["station.safe_mode"] = bool(self.safe_mode)
        for key in ("why", "at"):
            values[f"station.last_fault_{key}"] = str(self._last_fault.get(key, ""))
        return values

    def _alarms(self) -> dict[str, str | None]:
        alarms: dict[str, str | None] = {"supervision": None}
        if self._supervisor is not None:
            alarms |= self._supervisor.alarms()
        if self._proving is not None:
            alarms["config_not_kept"] = self._proving.look()
        if self._config_watch is not None:
            alarms["config_changed"] = self._config_watch.look()
        return alarms

    def _told(self, status: StationStatus, views: Sequence[ViewState]) -> None:
        why = self.safe_mode or "; ".join(f"{view.view}: {view.reason}" for view in views if not view.ready)
        if self._proving is not None:
            self._proving.told(status.value)
        if self._supervisor is not None:
            self._supervisor.told(status.value, why)


def _counts(health: Health) -> str:
    """`1234 verdicts: PASS 1200, UNDECIDED 34`."""
    found: dict[str, int] = {}
    for name, value in health.values().items():
        if ".verdicts." in name:
            outcome = name.rsplit(".", 1)[1]
            found[outcome] = found.get(outcome, 0) + int(value or 0)
    each = ", ".join(f"{outcome} {count}" for outcome, count in sorted(found.items()))
    return f"{sum(found.values())} verdicts" + (f": {each}" if each else "")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = read_json(path)
    except ConfigError:
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, body: Mapping[str, str]) -> None:
    try:
        path.write_text(json.dumps(body), "utf-8")
    except OSError as error:
        log.error("last_fault_not_kept why=%s", error)
