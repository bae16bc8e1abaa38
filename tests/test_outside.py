"""The wiring: a whole station in this process, asked by commands, messages and OPC UA, shown on lines and OPC UA."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.publish
import psutil
import pytest

from edge.app import Assembly, assemble
from edge.audit import Action, entries
from edge.cameras.simulated import write_control
from edge.config import load_config
from edge.errors import ConfigError
from edge.io.simulated import Seen, look
from edge.publishers.base import Incoming
from edge.publishers.memory import MemoryPublisher
from edge.settings.simulated import Leftover, SceneControl
from tests.cli.running import CONFIGS, RECIPE, simulated, station
from tests.commands.parts import Asker
from tests.io.building import until
from tests.mosquitto import Subscriber, free_port, mosquitto
from tests.opcua.serving import call, value_of
from tests.schemas import validate_message

ADDRESS = {"site": "hamburg", "area": "packaging", "line": "line 3", "station": "north"}
ROOT = "/".join(("lineclear", *ADDRESS.values()))
PERSON = {"who": "Kim", "why": "because"}
LEFTOVER = SceneControl(leftovers=(Leftover(kind="leaflet", x=0.5, y=0.5, size=0.2),))
RELAY, RED, BUSY = 1, 2, 3
ENDS_S = 40.0


def config(folder: Path, **changes: Any) -> Path:
    """One view with two products, a relay, a stack light, OPC UA; results stay in memory."""
    for product in ("aspirin", "ibuprofen"):
        if not (folder / product).exists():
            shutil.copytree(RECIPE, folder / product)
    camera = simulated(trigger="software", rate_hz=50, control=str(folder / "feeder.json"))
    content = {
        "station": ADDRESS,
        "product": "aspirin",
        "views": {"feeder": {"recipe": str(folder / "{product}"), "camera": camera}},
        "clearance": {"min_free_bytes": 0},
        "archive": {"min_free_bytes": 0},
        "outputs": {
            "chip": {"kind": "simulated", "path": str(folder / "lines")},
            "release": {"relay": {"line": RELAY}},
            "signals": {"red": {"line": RED, "on": ["not_clear", "fault"]}, "busy": {"line": BUSY, "on": ["busy"]}},
            "hold_s": 600,
            "guard_ms": 3000,
        },
        "opcua": {"port": free_port()},
        "commands": {"rights": {"plc": ["technician"]}},
        "health": {"interval_s": 1},
        **changes,
    }
    return station(folder, **content)


@contextmanager
def running(path: Path, **options: Any) -> Iterator[Assembly]:
    """As `lineclear run` has it."""
    stop = threading.Event()
    with assemble(load_config(path), **options) as assembly:
        thread = threading.Thread(target=assembly.station.run, args=(stop,))
        thread.start()
        try:
            yield assembly
        finally:
            stop.set()
            thread.join(ENDS_S)


@dataclass
class Line(Asker):
    """The station, whoever asks it, and what its lines and nodes show."""

    folder: Path = Path()
    endpoint: str = ""

    def wire(self, number: int = RELAY) -> Seen:
        return look(self.folder / "lines")[number]

    def shows(self, node: str, value: object) -> None:
        until(lambda: self.node(node) == value, f"{node} is {self.node(node)!r}, not {value!r}")

    def node(self, path: str) -> object:
        return value_of(self.endpoint, path).Value.Value

    def clear(self, batch: str = "B1", product: str = "aspirin") -> dict[str, Any]:
        reply = self.ask("clearance", batch=batch, product=product)
        assert reply["status"] == "ok", reply
        return dict(reply["result"])

    def scene(self, control: SceneControl) -> None:
        write_control(self.folder / "feeder.json", control)


@pytest.fixture(scope="module")
def station_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Assembly, Line]]:
    folder = tmp_path_factory.mktemp("outside")
    path = config(folder)
    port = load_config(path).opcua.port  # type: ignore[union-attr]
    with running(path) as assembly:
        assert isinstance(assembly.publisher, MemoryPublisher)
        line = Line(assembly.publisher, folder=folder, endpoint=f"opc.tcp://127.0.0.1:{port}/lineclear")
        until(lambda: health_of(line).get("opcua.serving"), "no OPC UA server")
        yield assembly, line


def health_of(line: Line) -> dict[str, Any]:
    found = [dict(record.body) for record in line.publisher.records if record.topic.endswith("health")]  # type: ignore[arg-type]
    return dict(found[-1]["values"]) if found else {}


@pytest.fixture
def line(station_running: tuple[Assembly, Line]) -> Line:
    """With nothing left behind and aspirin selected."""
    found = station_running[1]
    found.scene(SceneControl())
    assert found.ask("recipe", product="aspirin", **PERSON)["status"] == "ok"
    return found


def test_a_clearance_reaches_the_relay_the_archive_and_opc_ua(line: Line) -> None:
    before = line.wire().energised_count
    result = line.clear("B7")
    assert result["outcome"] == "CLEAR"
    until(lambda: line.wire().energised, "a CLEAR did not release")
    assert line.wire().energised_count == before + 1
    line.shows("Clearance.Sequence", result["sequence"])
    assert (line.node("Clearance.Outcome"), line.node("Clearance.Batch")) == ("CLEAR", "B7")
    line.shows("Clearance.Ready", True)
    until(lambda: len(line.ask("archive", batch="B7")["result"]["entries"]) == 2, "the archive has not the batch")


def test_what_is_left_behind_drops_the_relay_and_shows_red(line: Line) -> None:
    line.clear()
    until(lambda: line.wire().energised)
    line.scene(LEFTOVER)
    assert line.clear()["outcome"] == "NOT_CLEAR"
    until(lambda: not line.wire().energised and line.wire(RED).energised, "no red light")
    line.shows("Clearance.Outcome", "NOT_CLEAR")
    assert line.node("Clearance.ViewsNotPassed") == ["feeder: FAIL"]
    line.shows("Views.feeder.Outcome", "FAIL")


def test_a_frame_that_fails_outside_a_clearance_drops_the_relay(line: Line) -> None:
    line.clear()
    until(lambda: line.wire().energised)
    line.scene(LEFTOVER)
    reply = line.ask("snapshot", view="feeder")
    assert reply["result"]["outcome"] == "FAIL"
    until(lambda: not line.wire().energised, "a FAIL did not drop the release")


def test_a_changeover_drops_the_relay_and_shows_its_product(line: Line) -> None:
    line.clear()
    until(lambda: line.wire().energised)
    line.shows("Station.Product", "aspirin")
    assert line.ask("recipe", product="zinc", **PERSON)["error"]["code"] == "refused"
    assert line.ask("recipe", product="ibuprofen", **PERSON)["result"]["product"] == "ibuprofen"
    until(lambda: not line.wire().energised, "a changeover did not drop the release")
    line.shows("Station.Product", "ibuprofen")
    assert line.ask("state")["result"]["product"] == "ibuprofen"
    assert line.clear(product="ibuprofen")["outcome"] == "CLEAR"


def test_opc_ua_says_who_speaks_and_how_it_is(line: Line) -> None:
    line.shows("Station.State", "ready")
    assert line.node("Station.Topic") == ROOT
    assert str(line.node("Station.Software")).startswith("lineclear ")
    assert len(str(line.node("Station.ConfigHash"))) == 64
    line.shows("Views.feeder.Ready", True)


def test_opc_ua_starts_a_clearance(line: Line) -> None:
    accepted, said, result_id = call(line.endpoint, "B8", "aspirin", "Anna", "opc-1")
    assert (accepted, said) == (True, "")
    line.shows("Clearance.ResultId", result_id)
    assert (line.node("Clearance.RequestId"), line.node("Clearance.Operator")) == ("opc-1", "Anna")
    assert list(call(line.endpoint, "B8", "aspirin", "Anna", "opc-1")) == [True, "repeated", result_id]
    accepted, said, _ = call(line.endpoint, "B/8", "aspirin", "Anna", "opc-2")
    assert (accepted, "batch" in said) == (False, True)
    accepted, said, _ = call(line.endpoint, "B9", "aspirin", "Anna", "opc-1")
    assert accepted is False
    assert said
    accepted, said, _ = call(line.endpoint, "", "", "", "")
    assert accepted is False


def test_what_changes_something_is_in_the_audit_log(line: Line) -> None:
    """The challenge has no known frames here: it is written down before it is done."""
    assert line.ask("challenge", who="Kim")["result"]["passed"] is False
    found = [entry for entry in entries(line.folder / "state" / "audit") if entry.action is Action.CHALLENGE]
    assert found
    assert "Kim" in found[-1].who


def test_alone_nothing_outside_is_asked_or_shown(tmp_path: Path) -> None:
    path = config(tmp_path, triggers={"plc": {"kind": "mqtt", "views": ["feeder"]}})
    threads = {thread.name for thread in threading.enumerate()}
    with running(path, alone=True) as assembly:
        assert isinstance(assembly.publisher, MemoryPublisher)
        assert not {thread.name for thread in threading.enumerate()} - threads & {"outputs", "opcua"}
        asker = Asker(assembly.publisher)
        assert asker.ask("clearance", batch="B1", product="aspirin")["status"] == "error"
        codes = {record.body.get("code") for record in assembly.publisher.records if "alarm/" in record.topic}
        assert not codes & {"outputs", "opcua", "trigger_plc"}
    assert not (tmp_path / "lines").exists()


def test_stopping_leaves_nothing(tmp_path: Path) -> None:
    def round_trip() -> tuple[set[str], int, int]:
        def live() -> None:
            with running(path) as assembly:
                assert isinstance(assembly.publisher, MemoryPublisher)
                line = Line(assembly.publisher, folder=tmp_path)
                line.clear()
                until(lambda: line.wire().energised)

        life = threading.Thread(target=live)
        life.start()
        life.join(ENDS_S)
        assert not life.is_alive(), "it does not stop"
        assert not look(tmp_path / "lines")[RELAY].energised
        names = {thread.name for thread in threading.enumerate()}
        return names, len(os.listdir("/proc/self/fd")), len(psutil.Process().children(recursive=True))

    path = config(tmp_path)
    first = round_trip()
    assert round_trip() == first


def test_a_trigger_over_mqtt_needs_a_broker(tmp_path: Path) -> None:
    path = config(tmp_path, triggers={"plc": {"kind": "mqtt", "views": ["feeder"]}})
    with pytest.raises(ConfigError, match="needs a broker"), assemble(load_config(path)):
        pass


def test_a_message_is_a_trigger_and_gives_one_verdict(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, Subscriber(broker.port) as consumer:
        publisher = {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port}
        triggers = {"plc": {"kind": "mqtt", "views": ["feeder"], "timeout_s": 20}}
        path = config(tmp_path, publisher=publisher, triggers=triggers, outputs=None, opcua=None)
        with running(path):
            consumer.wait_for(lambda messages: any(b'"ready"' in m.payload for m in messages if m.topic.endswith("/state")))
            paho.mqtt.publish.single(f"{ROOT}/trigger/plc", "17", 1, port=broker.port, hostname="127.0.0.1")
            (result,) = consumer.wait_for_topic("view/feeder/result")
        body = validate_message(result.topic, result.payload)
        assert (body["outcome"], body["triggerNumber"]) == ("PASS", 1)
        assert sum(m.topic.endswith("/result") for m in consumer.messages) == 1


def test_the_example_runs_on_a_desk(tmp_path: Path) -> None:
    """configs/io-example.yaml as it stands, but for its folder, its ports and its broker."""
    shutil.copytree(CONFIGS / "recipes" / "feeder", tmp_path / "recipes" / "feeder")
    text = (CONFIGS / "io-example.yaml").read_text()
    path = tmp_path / "io-example.yaml"
    with mosquitto(tmp_path) as broker, Subscriber(broker.port) as consumer:
        path.write_text(
            text.replace("host: 127.0.0.1}", f"host: 127.0.0.1, port: {broker.port}}}").replace(
                "opcua: {}", f"opcua: {{port: {free_port()}}}"
            )
        )
        with running(path) as assembly:
            consumer.wait_for_topic("/health")
            assert assembly.station.views.keys() == {"feeder"}
        assert not [m.payload for m in consumer.messages if "/alarm/" in m.topic and m.payload]
    assert (tmp_path / "state" / "io" / "lines").exists()


def test_a_stranger_on_the_command_topic_disturbs_nothing(line: Line) -> None:
    before = line.ask("state")["result"]
    for topic, payload in (("cmd/format-disk", b"{}"), ("cmd/state", b"\xff"), ("cmd/recipe", b"[" * 1000), ("trigger/x", b"")):
        line.publisher.hear(Incoming(topic, payload))
    assert line.ask("state")["result"] == before
