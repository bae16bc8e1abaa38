"""What watches the station from outside: the page for Prometheus, and what else there is to say of the machine."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry

from edge.health import Health, Value
from edge.loop import Station, Witness
from edge.monitoring.checks import Checks
from edge.monitoring.collector import StationCollector
from edge.monitoring.endpoint import Endpoint
from edge.monitoring.machine import camera_memory, machine_values, process_values


class Monitoring:
    """Make it before the station; give it the station when it is there.

    health: the station's. views: their names. versions: of software, by package. floor_bytes: what the archive leaves free.
    """

    def __init__(
        self,
        health: Health,
        views: Iterable[str],
        versions: Mapping[str, str],
        state_dir: Path,
        now: Callable[[], datetime],
        floor_bytes: int | None = None,
    ) -> None:
        self.registry = CollectorRegistry()
        self._versions = versions
        self._state_dir = state_dir
        self._floor_bytes = floor_bytes
        self._checks = Checks(state_dir, now)
        self._station: Station | None = None
        self._endpoint: Endpoint | None = None
        self.registry.register(StationCollector(health, views, self._infos))

    @property
    def witness(self) -> Witness:
        """Figures of the machine and the timers' outcomes, with their alarms."""
        return Witness(self._values, self._alarms)

    def watch(self, station: Station) -> None:
        """The station whose engines and cameras there is something to say of."""
        self._station = station

    @contextmanager
    def serving(self, port: int | None) -> Iterator[None]:
        """The page at http://127.0.0.1:PORT/metrics; None: no page. A port that cannot be had is an alarm (`metrics`)."""
        if port is None:
            yield
            return
        with Endpoint(self.registry, port) as self._endpoint:
            yield

    def _alarms(self) -> dict[str, str | None]:
        alarms = dict(self._checks.alarms())
        if self._endpoint is not None:
            alarms["metrics"] = self._endpoint.look()
        return alarms

    def _values(self) -> dict[str, Value]:
        values = {**process_values(), **machine_values(self._state_dir), **self._checks.values()}
        if self._floor_bytes is not None:
            values["archive.floor_bytes"] = self._floor_bytes
        station = self._station
        if station is not None:
            values |= camera_memory({name: getattr(view.camera, "pid", None) for name, view in station.views.items()})
            for name, pace in station.paces.items():
                found = {"call_s": pace.call_s, "first_after_idle_s": pace.first_after_idle_s, "idle_s": pace.idle_s}
                values |= {f"engine.{name}.{key}": round(took, 6) for key, took in found.items() if took is not None}
                values[f"engine.{name}.fallbacks"] = pace.fallbacks
        return values

    def _infos(self) -> Mapping[str, Iterable[Mapping[str, str]]]:
        """Called while somebody scrapes: what it reads is replaced whole, never changed."""
        build = {**self._versions, "opencv": self._versions.get("opencv-python-headless", "")}
        views = self._station.views if self._station is not None else {}
        return {
            "lineclear_build_info": [{**build, "python": platform.python_version()}],
            "lineclear_view_info": [
                {"view": name, "product": view.product, "bundle": view.origin.bundle, "engine": view.origin.engine}
                for name, view in views.items()
            ],
        }
