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

from edge.asking import Inside
from edge.changeover import PRODUCT_FILE, Changeover, ProductFile, named
from edge.clearance import Clearances, open_clearances
from edge.config import StationConfig
from edge.errors import ConfigError
from edge.health import Health
from edge.keeping import Keeping, connections, settling, trace_of, verdict_sink
from edge.loop import CallLimits, Identity, PictureSettings, Reporter, Station
from edge.monitoring import Monitoring
from edge.outside import Outside
from edge.parts import Publisher, make_publisher
from edge.publishers.state_lock import StateLock
from edge.views import Sight
from edge.watching import Parts, Watching

log = logging.getLogger(__name__)

VERSIONED = ("lineclear", "numpy", "opencv-python-headless", "onnxruntime", "paho-mqtt")


@dataclass(frozen=True)
class Assembly:
    """A running station with what asks it."""

    station: Station
    clearances: Clearances
    changeover: Changeover
    publisher: Publisher


@contextmanager
def assemble(
    config: StationConfig, product: str | None = None, *, alone: bool = False, watching: Watching | None = None
) -> Iterator[Assembly]:
    """The station of `config`, running until the context ends. product: selects the recipes, else the one that was selected
    last, else the config's. alone: nobody outside is asked or shown anything: no commands, triggers, lines, OPC UA. watching:
    who watches over it, and whether it may judge.

    Raises StationBusy, OutboxError and ConfigError. A recipe or an engine that cannot be used does not stop the
    station: its view is UNDECIDED and says why. Nor does an archive or an audit log that cannot be written: alarms say so,
    and without the log no clearance is answered.
    """
    if alone:
        quiet = config.commands.model_copy(update={"enabled": False})
        config = config.model_copy(update={"commands": quiet, "triggers": {}, "outputs": None, "opcua": None})
    state_dir = Path(config.state_dir)
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot be made ({error.strerror})", where=str(state_dir), remedy="correct state_dir") from None
    with ExitStack() as stack:
        lock = StateLock(state_dir / "station")
        lock.acquire()
        stack.callback(lock.release)
        yield _assembled(config, state_dir, product, stack, watching or Watching())


def _assembled(config: StationConfig, state_dir: Path, product: str | None, stack: ExitStack, watching: Watching) -> Assembly:
    identity, health = _identity(config), Health()
    watching.begin(state_dir)
    publisher = make_publisher(config.publisher, config.station, state_dir)
    keeping = Keeping(config, state_dir, _now)
    kept = ProductFile(state_dir / PRODUCT_FILE)
    if product is None:
        product = kept.read() or config.product or ""
    sight = Sight(config)
    seats = watching.seats(sight.places, config.engine, config.trust)
    seatings, engines = seats.all(product)
    views = sight.setups(seatings)
    outside = Outside(config, publisher, state_dir, _now, identity, product)
    floor_bytes = config.archive.min_free_bytes if config.archive.enabled else None
    monitoring = Monitoring(health, config.views, identity.versions, state_dir, _now, floor_bytes)
    witnesses = (keeping.witness, outside.witness, watching.witness, monitoring.witness, sight.witness)
    reporter = Reporter(publisher, identity, config.health.interval_s, _now, witnesses, watching.safe_mode)
    pictures = PictureSettings(config.pictures.publish, config.pictures.format, config.pictures.max_width)
    warm_bytes = int(config.changeover.warm_engines_mb * 1e6)
    limits = CallLimits(config.supervision.engine_open_s, config.supervision.engine_call_s, watching.progress)
    sink = verdict_sink(keeping, outside)
    station = Station(views, engines, publisher, health, pictures, reporter, _now, warm_bytes, sink, watching.pulses, limits)
    recipes = {name: named(seating) for name, seating in seatings.items()}
    stack.enter_context(monitoring.serving(config.health.prometheus_port))
    stack.enter_context(keeping.archive)
    keeping.trail.started(identity.topic, identity.versions, identity.config_hash, recipes, watching.safe_mode)
    stack.callback(lambda: keeping.trail.stopped(identity.topic, watching.why_ending))
    monitoring.watch(station)
    stack.enter_context(station)
    stack.enter_context(outside.lines(station))
    others = connections(config, identity, keeping, outside, health)
    clearances = stack.enter_context(open_clearances(station, publisher, state_dir, config.clearance, others, _now))
    traces = trace_of(keeping, outside), settling(keeping, outside)
    changeover = Changeover(station, seats, kept, product, seatings, clearances.paused, *traces)
    stack.enter_context(
        outside.doors(Inside(station, clearances, changeover, keeping.trail, keeping.folder, sight.kept, keeping.keeper.asked))
    )
    watching.attach(Parts(station, publisher, clearances, keeping.archive), health, state_dir, _now)
    return Assembly(station, clearances, changeover, publisher)


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
