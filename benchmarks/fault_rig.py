"""A whole station to break: `lineclear run` under a systemd that is not one, its broker, an MES; and what became of it.

A product lies in the scene from before a fault until after it, so that every PASS is a wrong one. A trigger
counts as lost if its number is missing between the first and the last of its life, neither recorded on the disk nor said to be
not recorded; a verdict, if it is on the disk and never came to the MES.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psutil
import yaml
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.station import Broker
from edge.cameras.simulated import SimulatedCamera, write_control
from edge.engines.simulated import SimulatedEngine
from edge.pipeline import ViewPipeline
from edge.publishers.mqtt import OUTBOX_FILE
from edge.recipe import CardEngine, Content, ThresholdCard, load_recipe, save
from edge.settings.engines import SimulatedEngineSettings
from edge.settings.simulated import FaultKind, Leftover, SceneControl, SimulatedSettings
from tests.supervision.systemd import Service, service

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
RECIPE = CONFIGS / "recipes" / "feeder"
ADDRESS = {"site": "s", "area": "a", "line": "l", "station": "faults"}
LEAFLET = Leftover(kind="leaflet", x=0.5, y=0.5, size=0.2)
QUICK = {"hang_timeout_s": 3.0, "stall_timeout_s": 3.0, "retry_first_s": 0.5, "retry_last_s": 2.0}
PERIOD_S, TAKEN_FRAMES, PATIENCE_S, STEP_S = 0.1, 12, 60.0, 0.02
IN_HAND_S, OUT_OF_ORDER, WATCHDOG_S = 5.0, 8, 30.0
RECORDED = re.compile(r" verdict (?=.*outcome=).*?result_id=(\S+)")
NOT_RECORDED = re.compile(r"verdict_not_recorded .*?trigger=(\d+)")


class Failed(Exception):
    """The station did not do within the time what it must: the message says what was waited for."""


class LeftOut(Exception):
    """What this machine cannot do, and what it lacks."""


@dataclass(frozen=True)
class Seen:
    """One verdict on the disk. frame_at: UTC, None without a frame; decided_at: seconds since 1970."""

    seq: int
    result_id: str
    trigger: int
    outcome: str
    code: str
    frame_at: datetime | None
    decided_at: float


@dataclass(frozen=True)
class Row:
    """One line of the table. None: does not apply. codes: what was said while the fault acted, with how often."""

    fault: str
    does: str
    detect_s: float | None
    recover_s: float | None
    triggers: int
    verdicts: int
    not_recorded: int
    lost: int
    wrong: int
    codes: dict[str, int] = field(default_factory=dict)
    note: str = ""


def camera(folder: Path, **changes: Any) -> dict[str, Any]:
    """The camera of configs/simulated.yaml at 20 frames a second, with a control file."""
    found: dict[str, Any] = yaml.safe_load((CONFIGS / "simulated.yaml").read_text())["views"]["feeder"]["camera"]
    return {**found, "rate_hz": 20, "control": str(folder / "control.json"), **changes}


def view(folder: Path, recipe: Path = RECIPE, process: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The only view: judged ten times a second."""
    trigger = {"kind": "continuous", "interval_s": PERIOD_S, "timeout_s": 2}
    return {
        "recipe": str(recipe),
        "camera": camera(folder, **changes),
        "trigger": trigger,
        "process": {**QUICK, **(process or {})},
    }


def write_config(folder: Path, port: int, host: str = "127.0.0.1", **changes: Any) -> Path:
    """station.yaml in the folder; changes replace its top-level keys."""
    data: dict[str, Any] = {
        "station": ADDRESS,
        "state_dir": str(folder / "state"),
        "publisher": {
            "kind": "mqtt", "host": host, "port": port, "protocol": "5", "keepalive_s": 5, "reconnect_max_s": 2.0,
            "ack_timeout_s": 5.0,
        },
        "archive": {"min_free_bytes": 0},
        "pictures": {"publish": "none"},
        "health": {"interval_s": 1},
        "views": {"feeder": view(folder)},
        **changes,
    }  # fmt: skip
    path = folder / "station.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False))
    return path


def for_simulated_engine(folder: Path) -> Path:
    """The example recipe with thresholds for the simulated engine: above its clean frames, below the leaflet's."""
    target = folder / "recipes" / "feeder"
    shutil.copytree(RECIPE, target)
    recipe = load_recipe(target, view="feeder")
    given = SimulatedSettings.model_validate({**camera(folder), "rate_hz": 1000, "control": None})
    with SimulatedEngine(recipe.bundle.manifest, SimulatedEngineSettings(), reference=recipe.bundle.reference()) as engine:
        pipeline = ViewPipeline(recipe, engine)
        scores: list[float] = []
        with SimulatedCamera(given, "feeder") as source:
            while len(scores) < TAKEN_FRAMES:
                frame = source.grab(5.0)
                measured = pipeline.judge(frame.image).measurement if frame is not None else None
                if measured is not None and measured.score is not None:
                    scores.append(measured.score)
        name = engine.identity
    assert recipe.card is not None
    old = recipe.card.model_dump(exclude={"sha256"}, by_alias=True)
    made = ThresholdCard.sealed(**{
        **old, "engine": CardEngine(backend=name.backend, version=name.version, device=name.device, precision=name.precision),
        "image_threshold": 1.3 * max(scores), "pixel_threshold": 1.2 * max(scores),
        "scores": (*sorted(scores), *[max(scores)] * (old["frames"] - len(scores)))[: old["frames"]],
    })  # fmt: skip
    content = Content(document=recipe.document, bundle=recipe.bundle, reference=recipe.reference, masks=recipe.masks, card=made)
    save(target, content)
    return target


class Mes:
    """On the broker with a session that outlives it: every result, and what the station says of itself."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.results: dict[str, float] = {}
        self.again = 0
        self.states: list[tuple[float, str, str]] = []
        self.alarms: dict[str, str] = {}
        self._ready = threading.Event()
        self._port, self._host = port, host
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="mes", protocol=paho.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("lineclear/#", 1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _, __, message: self._hear(message.topic, bytes(message.payload))

    def __enter__(self) -> Mes:
        kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        kept.SessionExpiryInterval = 3600
        self._client.connect(self._host, self._port, clean_start=False, properties=kept, keepalive=5)
        self._client.loop_start()
        if not self._ready.wait(PATIENCE_S):
            raise Failed("no subscription")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, topic: str, payload: bytes) -> None:
        body = json.loads(payload) if payload else {}
        if topic.endswith("/result"):
            self.again += body["resultId"] in self.results
            self.results.setdefault(body["resultId"], time.monotonic())
        elif topic.endswith("/state"):
            self.states.append((time.monotonic(), body.get("status", ""), body.get("reason", "")))
        elif "/alarm/" in topic:
            code = topic.rsplit("/", 1)[1]
            self.alarms[code] = str(body.get("text") or body.get("message") or "") if body.get("active", True) else ""


class Rig:
    """The station as it runs; `state` is where its outbox lies."""

    def __init__(self, folder: Path, config: Path, running: Service, mes: Mes, state: Path) -> None:
        self.folder, self.config, self.running, self.mes, self.state = folder, config, running, mes, state
        self._from = 0
        self._logged = 0
        self._said_before = ""
        self._excused: set[str] = set()

    @property
    def pid(self) -> int:
        """Of the station."""
        return self.running.process.pid

    @property
    def camera(self) -> psutil.Process:
        """The process of its camera: the child that is no helper of multiprocessing's."""
        children = psutil.Process(self.pid).children()
        found = [child for child in children if not any("resource_tracker" in word for word in child.cmdline())]
        if not found:
            raise Failed("there is no camera process")
        return found[0]

    def show(self, *leftovers: Leftover, fault: FaultKind | None = None) -> None:
        """What its camera sees from the next frame on."""
        write_control(self.folder / "control.json", SceneControl(leftovers=leftovers, fault=fault))

    def until(self, condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> float:
        """Seconds until it is so. Failed: never."""
        began_s = time.monotonic()
        while not condition():
            if time.monotonic() - began_s > patience_s:
                raise Failed(f"waited {patience_s:g} s for {what}; {self.running.status!r}\n{self.running.logged[-1500:]}")
            self.running._listen(STEP_S)
        return time.monotonic() - began_s

    def seen(self, after: int = 0) -> list[Seen]:
        """Every verdict on the disk, the oldest first, after this sequence number."""
        return [_seen(*row) for row in self._query("SELECT seq, body FROM results WHERE kind = 'verdict' AND seq > ?", after)]

    def last(self) -> int:
        """The newest sequence number."""
        return int(self._query("SELECT coalesce(max(seq), 0) FROM results WHERE seq > ?", -1)[0][0])

    def waiting(self) -> int:
        """Results that are not sent yet."""
        return int(self._query("SELECT count(*) FROM outbox WHERE priority = 0 AND id > ?", -1)[0][0])

    def _query(self, sql: str, value: int) -> list[Any]:
        for _ in range(200):
            try:
                with closing(sqlite3.connect(f"file:{self.state / OUTBOX_FILE}?mode=ro", uri=True, timeout=5)) as file:
                    return file.execute(sql, (value,)).fetchall()
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                time.sleep(STEP_S)
        raise Failed("the outbox stays locked")

    def calm(self) -> None:
        """It runs and passes clean frames; then a leaflet lies there and it fails them: from now on PASS is wrong."""
        self.show()
        self.until(lambda: self.running.ready, "READY")
        before = self.last()
        self.until(lambda: any(one.outcome == "PASS" for one in self.seen(before)), "a PASS of a clean frame")
        self.show(LEAFLET)
        at = self.last()
        self.until(lambda: self.outcome(at, "FAIL"), "a FAIL of a leaflet")
        self.begin()

    def begin(self) -> None:
        """Count from here: whatever passes from now on is wrong."""
        self._from, self._logged = self.last(), len(self.running.logged)

    def back(self, patience_s: float = PATIENCE_S) -> float:
        """Seconds until a frame that is taken from now on is judged, and judged rightly."""
        now = datetime.now(timezone.utc)
        at = self.last()

        def is_judged() -> bool:
            return any(one.outcome == "FAIL" and one.frame_at is not None and one.frame_at >= now for one in self.seen(at))

        return self.until(is_judged, "a frame that is judged again", patience_s)

    def restarted(self, running: Service) -> Rig:
        """The same station in its next life, counted from the same moment."""
        other = Rig(self.folder, self.config, running, self.mes, self.state)
        other._from, other._said_before = self._from, self.running.logged[self._logged :]
        return other

    def excuse(self) -> None:
        """The broker was killed just now: what it had acknowledged and not handed on was its own to keep, not the station's."""
        waiting = {result_id for (result_id,) in self._query("SELECT result_id FROM outbox WHERE id > ?", -1)}
        self._excused |= {one.result_id for one in self.seen(self._from)} - waiting - self.mes.results.keys()

    def outcome(self, after: int, *wanted: str) -> bool:
        """True if there was such an outcome or reason after this sequence number."""
        return any(one.outcome in wanted or one.code in wanted for one in self.seen(after))

    def logs(self, words: str, after: int | None = None) -> bool:
        """True if this was said since `calm`, or after so many characters."""
        return words in self.running.logged[self._logged if after is None else after :]

    def warned(self, words: str) -> bool:
        """True if a warning or an error of these words was logged since `calm`."""
        lines = self.running.logged[self._logged :].splitlines()
        return any(words in line and (" WARNING " in line or " ERROR " in line or " CRITICAL " in line) for line in lines)

    def row(self, fault: str, does: str, detect_s: float | None, recover_s: float | None, **more: Any) -> Row:
        """Stop nothing; wait until all is sent, and count since `calm`."""
        last = self.last()
        found = [one for one in self.seen(self._from) if one.seq <= last]
        arrived = {one.result_id for one in found} - self._excused
        self.until(lambda: arrived <= self.mes.results.keys(), "every recorded verdict at the MES")
        said = self._said_before + self.running.logged[self._logged :]
        skipped = {int(number) for number in NOT_RECORDED.findall(said)}
        with suppress(Failed):  # what the judge had in hand when we looked
            self.until(lambda: not _missing(found, self.seen(), skipped), "the last verdicts", IN_HAND_S)
        codes: dict[str, int] = {}
        for one in found:
            codes[one.code or one.outcome] = codes.get(one.code or one.outcome, 0) + 1
        lost = len(_missing(found, self.seen(), skipped))
        wrong = sum(one.outcome == "PASS" for one in found)
        triggers = len(found) + lost + len(skipped)
        return Row(fault, does, detect_s, recover_s, triggers, len(found), len(skipped), lost, wrong, codes, **more)


def _missing(found: list[Seen], everything: list[Seen], skipped: set[int]) -> set[tuple[int, int]]:
    """(life, number) of triggers between the first and the last of `found` that have no verdict anywhere."""
    wanted = {one.seq for one in found}
    missing: set[tuple[int, int]] = set()
    for number, life in enumerate(lives(everything)):
        seen = [one.trigger for one in life if one.seq in wanted]
        if seen:
            asked = set(range(min(seen), max(seen) + 1))
            missing |= {(number, trigger) for trigger in asked - {one.trigger for one in life} - skipped}
    return missing


def lives(found: list[Seen]) -> Iterator[list[Seen]]:
    """Numbers begin again with each start of the station; what waited for an engine that hangs may come long after the next."""
    life: dict[int, Seen] = {}
    for one in found:
        if one.trigger in life or (life and one.trigger <= OUT_OF_ORDER < max(life) - one.trigger):
            yield list(life.values())
            life = {}
        life[one.trigger] = one
    if life:
        yield list(life.values())


def _seen(seq: int, text: str) -> Seen:
    body = json.loads(text)
    start = body["processingTimes"]["startTime"]
    frame_at = datetime.fromisoformat(start.replace("Z", "+00:00")) if start else None
    decided_at = datetime.fromisoformat(body["creationTime"].replace("Z", "+00:00")).timestamp()
    code = body["reason"]["code"] if body["reason"] else ""
    return Seen(seq, body["resultId"], body["triggerNumber"], body["outcome"], code, frame_at, decided_at)


@contextmanager
def rig(
    folder: Path,
    *,
    wire: Callable[[Broker], int] = lambda broker: broker.port,
    host: str = "127.0.0.1",
    prefix: Sequence[str] = (),
    kept: Path | None = None,
    environment: dict[str, str] | None = None,
    **changes: Any,
) -> Iterator[tuple[Rig, Broker]]:
    """A calm station and its broker. wire: the port where the station finds it; host, prefix: where the broker listens, and
    what its command begins with; kept: where it keeps its sessions; changes: of the config.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        lines = (
            "persistence true",
            f"persistence_location {kept or folder}/",
            "autosave_on_changes true",
            "autosave_interval 1",
        )
        broker = stack.enter_context(Broker(folder, *lines, host=host, prefix=prefix))
        mes = stack.enter_context(Mes(broker.port, host))
        config = write_config(folder, wire(broker), host, **changes)
        state = Path(yaml.safe_load(config.read_text())["state_dir"])
        write_control(folder / "control.json", SceneControl())
        running = stack.enter_context(service(config, folder, WATCHDOG_S, False, **(environment or {})))
        made = Rig(folder, config, running, mes, state)
        made.calm()
        yield made, broker
