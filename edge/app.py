"""Assembly: from a config to a running station."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from prometheus_client import start_http_server

from edge.cameras.supervision import SupervisedCamera
from edge.changeover import Place, Seats
from edge.clearance import Clearances, ClearanceSettings, Sequence
from edge.config import StationConfig, ViewConfig
from edge.errors import ConfigError
from edge.health import Health
from edge.loop import Identity, PictureSettings, Reporter, Seating, Station, ViewSetup
from edge.parts import make_engine, make_publisher
from edge.publishers.base import Publisher
from edge.publishers.state_lock import StateLock
from edge.settings.cameras import ProcessSettings, camera_name, hash_of_camera, is_pulled, trigger_mode, usual_latency_s

log = logging.getLogger(__name__)

SPARE_SLOTS = 4
"""Frames in a camera's ring beside those that wait for the judge: judged, being fetched, being written, and one to spare."""
VERSIONED = ("lineclear", "numpy", "opencv-python-headless", "onnxruntime", "paho-mqtt")


@dataclass(frozen=True)
class Assembly:
    """A running station with what asks it."""

    station: Station
    clearances: Clearances
    publisher: Publisher


@contextmanager
def assemble(config: StationConfig, product: str | None = None) -> Iterator[Assembly]:
    """The station of `config`, running until the context ends. product: selects the recipes, else the config's.

    Raises StationBusy, OutboxError and ConfigError. A recipe or an engine that cannot be used does not stop the
    station: its view is UNDECIDED and says why.
    """
    state_dir = Path(config.state_dir)
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot be made ({error.strerror})", where=str(state_dir), remedy="correct state_dir") from None
    health = Health()
    publisher = make_publisher(config.publisher, config.station, state_dir)
    places = tuple(
        Place(name, view.recipe, camera_name(view.camera), hash_of_camera(view.camera)) for name, view in config.views.items()
    )
    seats = Seats(places, lambda bundle: make_engine(config.engine, bundle))
    seatings, engines = seats.all((product if product is not None else config.product) or "")
    views = tuple(_view(name, view, seatings[name]) for name, view in config.views.items())
    reporter = Reporter(publisher, _identity(config), config.health.interval_s, _now)
    pictures = PictureSettings(config.pictures.publish, config.pictures.format, config.pictures.max_width)
    station = Station(views, engines, publisher, health, pictures, reporter, _now)
    settings = ClearanceSettings(config.clearance.vote, config.clearance.timeout_s)
    products = {view.name: view.origin.product for view in views}
    with ExitStack() as stack:
        lock = StateLock(state_dir / "station")
        lock.acquire()
        stack.callback(lock.release)
        if config.health.prometheus_port is not None:
            _serve_metrics(config.health.prometheus_port, health, stack)
        stack.enter_context(station)
        sequence = Sequence(state_dir / "clearance-sequence.json")
        yield Assembly(station, Clearances(station.ask, products, publisher, sequence, settings, _now), publisher)


def _serve_metrics(port: int, health: Health, stack: ExitStack) -> None:
    try:
        server, thread = start_http_server(port, "127.0.0.1", health.registry)
    except OSError as error:
        remedy = "write another port, or stop the program that has it"
        raise ConfigError(
            f"port {port} cannot be used ({error.strerror})", where="health.prometheus_port", remedy=remedy
        ) from None
    stack.callback(thread.join, 2)
    stack.callback(server.server_close)
    stack.callback(server.shutdown)


def _view(name: str, view: ViewConfig, seating: Seating) -> ViewSetup:
    camera = SupervisedCamera(view.camera, name, _process(view))
    usual_s = usual_latency_s(view.camera)
    trigger = view.trigger if view.trigger.latency_s is not None else view.trigger.model_copy(update={"latency_s": usual_s})
    drains = not is_pulled(view.camera) or trigger_mode(view.camera) == "software"
    return ViewSetup(name, camera, trigger, seating, drains=drains)


def _process(view: ViewConfig) -> ProcessSettings:
    """A ring with too few slots would lose the frames that `queue_frames` promises to keep."""
    slots = max(view.process.slots, view.trigger.queue_frames + SPARE_SLOTS)
    return view.process.model_copy(update={"slots": slots})


def hash_settings(settings: object) -> str:
    """SHA-256 of any JSON-ready settings, keys sorted."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _identity(config: StationConfig) -> Identity:
    versions = {}
    for name in VERSIONED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "unknown"
    return Identity(config.station.topic, versions, hash_settings(config.model_dump(mode="json")))


def _now() -> datetime:
    return datetime.now(timezone.utc)
