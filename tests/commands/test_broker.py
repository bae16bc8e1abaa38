"""Commands over a real Mosquitto: both protocols, the ready access list, a broker that restarts, two stations with one name."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.commands import Commands
from edge.commands.names import INSTANCE_VALUE, NAME_ALARM, PEACE_S, NameWatch, new_instance
from edge.publishers.base import Incoming
from edge.publishers.mqtt import MqttPublisher
from edge.publishers.station_payloads import health_record
from edge.settings.mqtt import MqttSettings, StationAddress
from tests.commands.parts import PAUSE, SCHEMAS, message, running, settings, until, utc_now
from tests.mosquitto import WAIT_S, Mosquitto, mosquitto, mosquitto_binary
from tests.publishers.samples import mqtt_settings
from tests.publishers.waiting import wait_for_status

MOSQUITTO = Path(__file__).parents[2] / "configs" / "mosquitto"
ADDRESS = StationAddress(site="basel", area="packaging", line="line3", station="feeder-box")
ROOT = ADDRESS.topic
PERSON = {"who": "Kim", "why": "because"}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker with the password file and access list of configs/mosquitto, without its encryption."""
    folder = tmp_path_factory.mktemp("broker")
    lines = (MOSQUITTO / "passwords.example").read_text().splitlines()
    passwords = folder / "passwords"
    passwords.write_text("".join(f"{line}\n" for line in lines if not line.startswith("#")))
    passwords.chmod(0o600)
    subprocess.run([mosquitto_binary("mosquitto_passwd"), "-U", str(passwords)], check=True, capture_output=True)
    acl = folder / "acl"
    acl.write_text((MOSQUITTO / "acl").read_text())
    acl.chmod(0o600)
    with mosquitto(folder, f"password_file {passwords}", f"acl_file {acl}", allow_anonymous=False) as broker:
        yield broker


def password_of(user: str) -> str:
    (line,) = [line for line in (MOSQUITTO / "passwords.example").read_text().splitlines() if line.startswith(f"{user}:")]
    return line.partition(":")[2]


class Client:
    """A PLC: its own MQTT client, its own user."""

    def __init__(self, port: int, user: str, protocol: str = "3.1.1", reply: str = "") -> None:
        self.user = user
        self.replies: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reply = reply
        self._subscribed = threading.Event()
        version = paho.MQTTv5 if protocol == "5" else paho.MQTTv311
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=user, protocol=version)
        self.client.username_pw_set(user, password_of(user))
        self.client.on_message = self._heard
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_connect = lambda client, *_: client.subscribe(f"{ROOT}/reply/{user}/#", 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(WAIT_S)

    def _heard(self, _client: object, _data: object, heard: paho.MQTTMessage) -> None:
        body = json.loads(heard.payload)
        SCHEMAS["reply"].validate(body)
        assert not heard.retain
        correlation = getattr(heard.properties, "CorrelationData", b"") if heard.properties else b""
        self.replies.put({**body, "topic": heard.topic, "correlation": correlation})

    def send(self, name: str, **fields: Any) -> str:
        body = message(name, **{"client": self.user, **fields})
        properties = Properties(PacketTypes.PUBLISH)
        if self._reply:
            properties.ResponseTopic, properties.CorrelationData = self._reply, b"mark"
        info = self.client.publish(f"{ROOT}/cmd/{name}", json.dumps(body), 1, False, properties)
        info.wait_for_publish(WAIT_S)
        return str(body["request_id"])

    def ask(self, name: str, **fields: Any) -> dict[str, Any]:
        request_id = self.send(name, **fields)
        while True:
            reply = self.replies.get(timeout=WAIT_S)
            if reply["request_id"] == request_id and reply["status"] != "progress":
                return reply

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def plc(*args: Any, **more: Any) -> Iterator[Client]:
    client = Client(*args, **more)
    try:
        yield client
    finally:
        client.close()


def station_settings(broker: Mosquitto, folder: Path, protocol: str) -> MqttSettings:
    credentials = folder / "credentials"
    credentials.write_text(f"feeder-box:{password_of('feeder-box')}\n")
    credentials.chmod(0o600)
    return mqtt_settings(broker.port, protocol=protocol, credentials_file=str(credentials))


def try_forbidden(broker: Mosquitto, user: str, protocol: str, name: str, body: dict[str, Any]) -> None:
    """Returns when the broker has seen it: Mosquitto 2.0.11 closes the connection of a 3.1.1 client for it."""
    client_id = f"{user}-intruder"
    client = paho.Client(
        paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5 if protocol == "5" else paho.MQTTv311
    )
    client.username_pw_set(user, password_of(user))
    client.on_connect = lambda c, *_: c.publish(f"{ROOT}/cmd/{name}", json.dumps(body), 1)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    until(lambda: any(f"Denied PUBLISH from {client_id}" in line for line in broker.log))
    client.disconnect()
    client.loop_stop()


RIGHTS = {"plc-line3": ("operator",), "technician": ("technician",), "dashboard": ("reader",)}


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_end_to_end_with_the_ready_access_list(secured: Mosquitto, recipes: Path, tmp_path: Path, protocol: str) -> None:
    publisher = MqttPublisher(station_settings(secured, tmp_path, protocol), ADDRESS, tmp_path)
    reply = f"{ROOT}/reply/plc-line3/mine" if protocol == "5" else ""
    with running(recipes, tmp_path, settings(rights=RIGHTS), publisher=publisher, root=ROOT) as rig:
        wait_for_status(publisher, lambda status: status.connected)
        with plc(secured.port, "plc-line3", protocol, reply) as asker, plc(secured.port, "technician", protocol) as technician:
            while asker.replies.empty():  # the station's own subscription may come after its greeting
                asker.send("state")
                PAUSE.wait(0.05)
            clearance = asker.ask("clearance", batch="B42", product="aspirin")
            assert clearance["result"]["outcome"] == "CLEAR"
            assert clearance["topic"] == (reply or f"{ROOT}/reply/plc-line3")
            assert clearance["correlation"] == (b"mark" if protocol == "5" else b"")
            assert asker.ask("recipe", product="ibuprofen", **PERSON)["result"]["product"] == "ibuprofen"
            assert technician.ask("recipe", product="aspirin", **PERSON)["result"]["product"] == "aspirin"
            # What the broker forbids never reaches the station: the PLC may not set thresholds, whoever it says that it is.
            before = dict(rig.commands.values())
            threshold = message("threshold", view="front", image_threshold=15.0, **PERSON, client="technician")
            try_forbidden(secured, "plc-line3", protocol, "threshold", threshold)
            recipe = message("recipe", product="ibuprofen", **PERSON, client="plc-line3")
            try_forbidden(secured, "dashboard", protocol, "recipe", recipe)
            assert technician.ask("threshold", view="front", image_threshold=15.0, **PERSON)["status"] == "ok"
            assert asker.ask("state")["result"]["product"] == "aspirin"
            after = rig.commands.values()
            assert after["commands.threshold.ok"] == 1
            assert after["commands.recipe.ok"] == before["commands.recipe.ok"] == 2
            # Nor does anybody hear what was answered to somebody else.
            assert {answer["client"] for answer in technician.replies.queue} <= {"technician"}


def test_replies_wait_for_a_broker_that_restarts(recipes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder) as broker:
        publisher = MqttPublisher(mqtt_settings(broker.port), ADDRESS, tmp_path)
        with running(recipes, tmp_path, settings(rights=RIGHTS), publisher=publisher, root=ROOT) as rig:
            wait_for_status(publisher, lambda status: status.connected)
            with plc(broker.port, "plc-line3") as asker:
                while asker.replies.empty():
                    asker.send("state")
                    PAUSE.wait(0.05)
                asker.client.reconnect_delay_set(1, 1)
                broker.kill()
                wait_for_status(publisher, lambda status: not status.connected)
                broker.start()
                wait_for_status(publisher, lambda status: status.connections == 2)
                until(asker.client.is_connected)
                body = message("state", client="plc-line3")
                count = dict(rig.commands.values())["commands.state.ok"]
                while dict(rig.commands.values())["commands.state.ok"] == count:
                    asker.client.publish(f"{ROOT}/cmd/state", json.dumps(body), 1)
                    PAUSE.wait(0.05)
                while asker.replies.get(timeout=WAIT_S)["request_id"] != body["request_id"]:
                    continue


def test_two_stations_with_one_name_notice_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder) as broker:
        publishers, both = [], []
        for number in (1, 2):
            config = mqtt_settings(broker.port, client_id=f"box-{number}")
            publisher = MqttPublisher(config, ADDRESS, tmp_path / f"state-{number}")
            both.append(Commands(publisher, ROOT, tmp_path / f"state-{number}", settings()))
            publishers.append(publisher)
        with publishers[0] as first:
            wait_for_status(first, lambda status: status.connected)
            first.publish(health_record(both[0].values(), utc_now(), 1.0))
            with publishers[1] as second:
                wait_for_status(second, lambda status: status.connected)
                while both[0].alarms()[NAME_ALARM] is None or both[1].alarms()[NAME_ALARM] is None:
                    for publisher, commands in zip(publishers, both, strict=True):
                        publisher.publish(health_record(commands.values(), utc_now(), 1.0))
                    PAUSE.wait(0.05)
        assert f"speaks as {ROOT}" in str(both[0].alarms()[NAME_ALARM])


def health(instance: Any, **more: Any) -> Incoming:
    return Incoming("health", json.dumps({"values": {INSTANCE_VALUE: instance}}).encode(), **more)


@pytest.mark.parametrize(
    "heard",
    [
        health("me"),
        health("other", retained=True),
        health(7),
        health(""),
        health("a\nb"),
        Incoming("health", b""),
        Incoming("health", b"[]"),
        Incoming("health", b'{"values": 1}'),
        Incoming("health", b"{"),
        Incoming("health", b"[" * 100_000),
        Incoming("health", b" " * 300_000),
    ],
)
def test_only_another_instance_that_speaks_now_is_another_station(heard: Incoming) -> None:
    watch = NameWatch("me", ROOT)
    watch.hear(heard)
    assert watch.alarm is None


def test_the_alarm_clears_when_the_other_has_been_silent() -> None:
    now = [0.0]
    watch = NameWatch("me", ROOT, lambda: now[0])
    watch.hear(health("other"))
    now[0] = PEACE_S
    assert watch.alarm is not None
    assert "instance other" in watch.alarm
    now[0] = PEACE_S + 1
    assert watch.alarm is None
    watch.hear(health("third"))
    assert "instance third" in str(watch.alarm)
    assert new_instance() != new_instance()
