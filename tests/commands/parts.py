"""A small real station with all its commands, and somebody who asks."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from edge.archive import Archive, ArchiveReader
from edge.audit import Action, AuditLog, Entry, entries
from edge.bundle import Bundle
from edge.changeover import Changeover, Place, ProductFile, Seats
from edge.clearance import Connections, Snapshot, open_clearances, read_order, read_review
from edge.commands import Clearing, Commands, Looking, Parts, Selecting, SnapshotPictures
from edge.commands.signing import signature_of
from edge.engines.base import Engine
from edge.engines.simulated import SimulatedEngine
from edge.loop import Station
from edge.loop.evidence import EvidenceKeeper
from edge.loop.report import view_state
from edge.publishers.base import Incoming
from edge.publishers.memory import MemoryPublisher
from edge.recipe import Trust, load_recipe
from edge.settings.archive import ArchiveSettings
from edge.settings.clearance import ClearanceConfig
from edge.settings.commands import CommandSettings
from edge.settings.engines import SimulatedEngineSettings
from edge.settings.mqtt import MemorySettings
from edge.settings.trust import TrustSettings
from tests.commands.schema_files import schemas
from tests.station_parts import Event, ScriptedCamera, make_station, scene, with_noise

ROOT = "lineclear/hamburg/packaging/line 3/north"
CLEAN = Event(with_noise(scene(), 1))
VIEWS = ("front", "back")
WAIT_S = 20.0
PAUSE = threading.Event()
EVERYTHING = {"plc": ("operator", "calibrator", "release")}
SCHEMAS = {name: Draft202012Validator(schema) for name, schema in schemas().items()}
_NUMBERS = itertools.count(1)


def settings(**changes: Any) -> CommandSettings:
    return CommandSettings.model_validate({"rights": EVERYTHING, "people": {"Kim": ["release"]}, **changes})


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


def message(name: str, *, client: str = "plc", now: datetime | None = None, **fields: Any) -> dict[str, Any]:
    """A command as a client writes it; `fields` win."""
    sent_at = (now or utc_now()).isoformat(timespec="microseconds")
    body = {
        "schema": "lineclear/command/1",
        "request_id": f"r-{next(_NUMBERS)}",
        "client": client,
        "sent_at": sent_at,
        **fields,
    }
    return {key: value for key, value in body.items() if value is not ...}


def signed(name: str, body: dict[str, Any], key: bytes, root: str = ROOT) -> dict[str, Any]:
    return {**body, "signature": signature_of(body, f"{root}/cmd/{name}", key)}


@dataclass
class Asker:
    """Sends commands through a MemoryPublisher; every reply is held against its schema."""

    publisher: MemoryPublisher
    seen: list[dict[str, Any]] = field(default_factory=list)

    def send(self, name: str, body: Any, **more: Any) -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.publisher.hear(Incoming(f"cmd/{name}", payload, **more))

    def replies(self, request_id: str, client: str = "plc") -> list[dict[str, Any]]:
        found = [dict(a.body) for a in self.publisher.answers if a.topic.startswith(f"{ROOT}/reply/")]
        for body in found:
            SCHEMAS["reply"].validate(body)
        return [body for body in found if (body["request_id"], body["client"]) == (request_id, client)]

    def wait(self, request_id: str, count: int = 1, client: str = "plc") -> dict[str, Any]:
        """The count-th reply that is no progress."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            final = [body for body in self.replies(request_id, client) if body["status"] != "progress"]
            if len(final) >= count:
                return final[count - 1]
            PAUSE.wait(0.005)
        raise AssertionError(f"no reply to {request_id}: {[a.body for a in self.publisher.answers][-5:]}")

    def ask(self, name: str, **fields: Any) -> dict[str, Any]:
        body = message(name, **fields)
        SCHEMAS[f"command-{name}"].validate(body)
        self.send(name, body)
        return self.wait(body["request_id"], client=body["client"])


@dataclass
class Rig(Asker):
    """Everything that runs."""

    commands: Commands = field(kw_only=True)
    station: Station = field(kw_only=True)
    recipes: Path = field(kw_only=True)
    cameras: dict[str, ScriptedCamera] = field(kw_only=True)
    log: AuditLog = field(kw_only=True)
    evidence: ArchiveReader = field(kw_only=True)

    def audited(self) -> list[Entry]:
        """What commands wrote; that recipes came into force is the changeover's own entry."""
        found = list(entries(self.log.folder)) if self.log.head() is not None else []
        return [entry for entry in found if entry.action is not Action.CHANGEOVER]

    def changed_over(self) -> list[Entry]:
        found = list(entries(self.log.folder)) if self.log.head() is not None else []
        return [entry for entry in found if entry.action is Action.CHANGEOVER]

    def why_not(self, view: str) -> str:
        judgement = self.station.views[view].seating.why_not
        return judgement.reason.code.value if judgement is not None and judgement.reason is not None else ""


def simulated(bundle: Bundle) -> Engine:
    return SimulatedEngine(bundle.manifest, SimulatedEngineSettings())


@contextmanager
def running(
    recipes: Path,
    tmp_path: Path,
    config: CommandSettings | None = None,
    events: list[Event] | None = None,
    publisher: Any = None,
    root: str = ROOT,
    pass_share: float = 1.0,
    trust: TrustSettings | None = None,
) -> Iterator[Rig]:
    publisher = publisher or MemoryPublisher(MemorySettings(kind="memory", keep=20_000))
    commands = Commands(publisher, root, tmp_path, config or settings())
    loaded = {view: load_recipe(recipes / "aspirin" / view, trust=Trust.of(trust)) for view in VIEWS}
    cameras = {view: ScriptedCamera(view, [CLEAN] * 200 if events is None else events) for view in VIEWS}
    log = AuditLog(tmp_path / "audit")
    with contextlib.ExitStack() as stack:
        archive = stack.enter_context(Archive(tmp_path / "archive", ArchiveSettings(min_free_bytes=0, pass_share=pass_share)))
        pictures = SnapshotPictures(publisher, "none", 640)
        stack.callback(pictures.close)
        station = make_station(loaded, cameras, publisher=publisher)
        keeper = EvidenceKeeper(archive, 640)
        sinks = [station._desk._pictures, pictures.submit, keeper.verdict]
        station._desk._pictures = lambda *args: [sink(*args) for sink in sinks]
        stack.enter_context(station)
        places = tuple(Place(view, str(recipes / "{product}" / view), "scripted", "") for view in VIEWS)
        seats = Seats(places, simulated, trust=trust)
        in_force = {name: view.seating for name, view in station.views.items()}

        def trace(product: str, before: Any, after: Any, who: str, why: str) -> None:
            log.append(Action.CHANGEOVER, who=who, subject=product, why=why, before=dict(before), after=dict(after))

        kept = ProductFile(tmp_path / "product.json")
        asking = ClearanceConfig(min_free_bytes=0)
        others = Connections(may=(config or settings()).person_may)
        clearances = stack.enter_context(open_clearances(station, publisher, tmp_path, asking, others))
        changeover = Changeover(station, seats, kept, "aspirin", in_force, clearances.paused, trace)
        parts = Parts(
            audit=log.append,
            looking=Looking(
                station,
                lambda: [view_state(view) for view in station.views.values()],
                lambda: changeover.selected.product,
                painter=pictures,
                shown=lambda result_id, view, at: clearances.note_snapshot(Snapshot(result_id, view, at)),
                archive=ArchiveReader(tmp_path / "archive"),
            ),
            clearing=Clearing(
                order=lambda data: clearances.request(read_order(data, "cmd/clearance", asking, utc_now()).request()),
                review=lambda data: clearances.review(read_review(data, "cmd/review", asking, utc_now())),
                cancel=clearances.cancel,
                challenge=clearances.challenge,
            ),
            selecting=Selecting(changeover.select, changeover.reload),
            views=station.views,
            reload=changeover.reload,
        )
        stack.enter_context(commands.serving(parts))
        yield Rig(
            publisher,
            commands=commands,
            station=station,
            recipes=recipes,
            cameras=cameras,
            log=log,
            evidence=ArchiveReader(tmp_path / "archive"),
        )


def until(condition: Callable[[], bool]) -> None:
    """Waits on an Event that nobody sets, between looks."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        PAUSE.wait(0.005)


def later(seconds: float) -> datetime:
    return utc_now() + timedelta(seconds=seconds)
