"""Assembly: from a config to a running station."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from prometheus_client import start_http_server

from edge.archive import Archive, Purge
from edge.audit import Action, AuditLog
from edge.cameras.supervision import SupervisedCamera
from edge.changeover import Changeover, Place, ProductFile, Seats, Trace, named
from edge.clearance import Clearances, Connections, FramePool, open_clearances, summarise_challenge
from edge.config import StationConfig, ViewConfig
from edge.errors import ConfigError
from edge.health import Health
from edge.loop import EvidenceKeeper, Identity, PictureSettings, Reporter, Seating, Station, ViewSetup, Witness
from edge.outside import Inside, Outside
from edge.parts import make_engine, make_publisher
from edge.pipeline import Judged
from edge.publishers.base import Publisher
from edge.publishers.clearance_payloads import ClearanceProgress
from edge.publishers.state_lock import StateLock
from edge.settings.cameras import ProcessSettings, camera_name, hash_of_camera, is_pulled, trigger_mode, usual_latency_s
from edge.trail import Trail
from edge.types import Clearance, Frame, Speaker, Verdict

log = logging.getLogger(__name__)

SPARE_SLOTS = 4
"""Frames in a camera's ring beside those that wait for the judge: judged, being fetched, being written, and one to spare."""
VERSIONED = ("lineclear", "numpy", "opencv-python-headless", "onnxruntime", "paho-mqtt")


@dataclass(frozen=True)
class Assembly:
    """A running station with what asks it."""

    station: Station
    clearances: Clearances
    changeover: Changeover
    publisher: Publisher


@contextmanager
def assemble(config: StationConfig, product: str | None = None, *, alone: bool = False) -> Iterator[Assembly]:
    """The station of `config`, running until the context ends. product: selects the recipes, else the one that was selected
    last, else the config's. alone: nobody outside is asked or shown anything: no commands, triggers, lines, OPC UA.

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
        yield _assembled(config, state_dir, product, stack)


def _assembled(config: StationConfig, state_dir: Path, product: str | None, stack: ExitStack) -> Assembly:
    identity, health = _identity(config), Health()
    publisher = make_publisher(config.publisher, config.station, state_dir)
    trail = Trail(AuditLog(config.audit.folder(state_dir), config.audit), state_dir / "in-force.json", _now)
    archive = Archive(config.archive.folder(state_dir), config.archive, _now, partial(_purged, trail))
    keeper = EvidenceKeeper(archive, config.pictures.max_width)
    kept = ProductFile(state_dir / "product.json")
    if product is None:
        product = kept.read() or config.product or ""
    seats = Seats(_places(config), lambda bundle: make_engine(config.engine, bundle))
    seatings, engines = seats.all(product)
    views = tuple(_view(name, view, seatings[name]) for name, view in config.views.items())
    outside = Outside(config, publisher, state_dir, _now, identity, product)
    witnesses = (_witness(trail, archive), outside.witness)
    reporter = Reporter(publisher, identity, config.health.interval_s, _now, witnesses)
    pictures = PictureSettings(config.pictures.publish, config.pictures.format, config.pictures.max_width)
    warm_bytes = int(config.changeover.warm_engines_mb * 1e6)
    station = Station(views, engines, publisher, health, pictures, reporter, _now, warm_bytes, _both(keeper, outside))
    recipes = {name: named(seating) for name, seating in seatings.items()}
    if config.health.prometheus_port is not None:
        _serve_metrics(config.health.prometheus_port, health, stack)
    stack.enter_context(archive)
    trail.started(identity.topic, identity.versions, identity.config_hash, recipes)
    stack.callback(trail.stopped, identity.topic, "")
    stack.enter_context(station)
    stack.enter_context(outside.lines(station))
    pool = FramePool(state_dir / "pool", config.archive.folder(state_dir))
    connections = _connections(config, identity, trail, keeper, outside, pool)
    clearances = stack.enter_context(open_clearances(station, publisher, state_dir, config.clearance, connections, _now))
    traces = _trace(trail, outside), _settled(trail, outside)
    changeover = Changeover(station, seats, kept, product, seatings, clearances.paused, *traces)
    stack.enter_context(outside.doors(Inside(station, clearances, changeover, trail, config.archive.folder(state_dir))))
    return Assembly(station, clearances, changeover, publisher)


def _both(keeper: EvidenceKeeper, outside: Outside) -> Callable[[Verdict, Frame | None, Judged | None], None]:
    def told(verdict: Verdict, frame: Frame | None, judged: Judged | None) -> None:
        keeper.verdict(verdict, frame, judged)
        outside.verdict(verdict, frame, judged)

    return told


def _connections(
    config: StationConfig, identity: Identity, trail: Trail, keeper: EvidenceKeeper, outside: Outside, pool: FramePool
) -> Connections:
    def progressed(progress: ClearanceProgress) -> None:
        keeper.occasion(progress)
        outside.progress(progress)

    def answered(clearance: Clearance) -> None:
        trail.answered(clearance)
        keeper.clearance(clearance)
        outside.answered(clearance)

    return Connections(
        checks=(trail.fitness,),
        may=config.commands.person_may,
        pool=pool.take,
        on_progress=progressed,
        on_result=answered,
        on_challenge=lambda who, found: trail.challenged(who, summarise_challenge(found)),
        speaker=Speaker(identity.topic, identity.versions, identity.config_hash),
    )


def _places(config: StationConfig) -> tuple[Place, ...]:
    return tuple(
        Place(name, view.recipe, camera_name(view.camera), hash_of_camera(view.camera)) for name, view in config.views.items()
    )


def _purged(trail: Trail, purge: Purge) -> None:
    trail.change(Action.PURGE, who="archive", subject="archive", why=purge.why, before=None, after=purge.document())


def _witness(trail: Trail, archive: Archive) -> Witness:
    def alarms() -> dict[str, str | None]:
        trail.watch_clock()
        return {"audit": trail.alarm, "evidence": archive.alarm}

    return Witness(lambda: {**trail.health(), **archive.health()}, alarms)


def _trace(trail: Trail, outside: Outside) -> Trace:
    def trace(product: str, before: Mapping[str, str], after: Mapping[str, str], who: str, why: str) -> None:
        trail.change(Action.CHANGEOVER, who=who, subject=product, why=why, before=dict(before), after=dict(after))
        outside.changing(product)

    return trace


def _settled(trail: Trail, outside: Outside) -> Callable[[Mapping[str, str] | None], None]:
    def settled(recipes: Mapping[str, str] | None) -> None:
        trail.changed_over(recipes)
        outside.settled(recipes is not None)

    return settled


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
