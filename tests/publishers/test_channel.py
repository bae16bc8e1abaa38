"""What comes in: commands heard on a real broker, and the answers to them."""

import json
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.publishers import answers as waiting_answers
from edge.publishers.answers import Answers
from edge.publishers.base import Answer, Channel, Incoming
from edge.publishers.broker import MAX_INCOMING_BYTES, BrokerConnection, Message
from edge.publishers.memory import MemoryPublisher
from edge.publishers.mqtt import MqttPublisher
from edge.settings.mqtt import MemorySettings
from tests.mosquitto import Mosquitto, mosquitto
from tests.publishers.samples import ADDRESS, ROOT, mqtt_settings
from tests.publishers.waiting import wait_for_status

PROTOCOLS = ("3.1.1", "5")
WAIT_S = 20


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


class Asker:
    """An MQTT 5 client that asks and reads its answers."""

    def __init__(self, port: int) -> None:
        self.answers: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self._ready = threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.client.on_message = lambda _c, _d, message: self.answers.put(message)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe(f"{ROOT}/reply/plc", 1)
        assert self._ready.wait(WAIT_S)

    def ask(self, topic: str, payload: bytes, *, retain: bool = False, mark: bytes = b"") -> None:
        properties = Properties(PacketTypes.PUBLISH)
        if mark:
            properties.ResponseTopic, properties.CorrelationData = f"{ROOT}/reply/plc", mark
        self.client.publish(f"{ROOT}/{topic}", payload, 1, retain, properties).wait_for_publish(WAIT_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_command_comes_in_and_its_answer_goes_out(broker: Mosquitto, tmp_path: Path, protocol: str) -> None:
    heard: queue.Queue[Incoming] = queue.Queue()
    publisher = MqttPublisher(mqtt_settings(broker.port, protocol=protocol), ADDRESS, tmp_path / "state")
    publisher.listen(["cmd/+"], heard.put)
    asker = Asker(broker.port)
    with publisher:
        wait_for_status(publisher, lambda status: status.connected)
        asker.ask("other/thing", b"not for us")
        # The subscription is answered after the greeting: only what is sent then surely arrives.
        while heard.empty():
            asker.ask("cmd/state", b"{}", mark=b"m1")
            threading.Event().wait(0.05)
        message = heard.get(timeout=WAIT_S)
        assert (message.topic, message.payload, message.retained) == ("cmd/state", b"{}", False)
        if protocol == "5":
            assert (message.response_topic, message.correlation) == (f"{ROOT}/reply/plc", b"m1")
        publisher.answer(Answer(f"{ROOT}/reply/plc", {"ok": True}, message.correlation))
        answer = asker.answers.get(timeout=WAIT_S)
        assert json.loads(answer.payload) == {"ok": True}
        if protocol == "5":
            assert answer.properties.CorrelationData == b"m1"
        assert not answer.retain
    asker.close()


def test_what_the_broker_kept_is_marked_and_what_is_too_large_never_arrives(broker: Mosquitto, tmp_path: Path) -> None:
    heard: queue.Queue[Incoming] = queue.Queue()
    asker = Asker(broker.port)
    asker.ask("cmd/clearance", b"old", retain=True)
    publisher = MqttPublisher(mqtt_settings(broker.port, protocol="5"), ADDRESS, tmp_path / "state")
    publisher.listen(["cmd/#"], heard.put)
    with publisher:
        kept = heard.get(timeout=WAIT_S)
        assert (kept.payload, kept.retained) == (b"old", True)
        asker.ask("cmd/big", b"x" * (MAX_INCOMING_BYTES + 1000))
        asker.ask("cmd/small", b"x")
        assert heard.get(timeout=WAIT_S).topic == "cmd/small"
        assert publisher.status.connections == 1
    asker.close()


def test_an_answer_waits_for_the_broker_and_is_sent_when_it_is_back(broker: Mosquitto, tmp_path: Path) -> None:
    publisher = MqttPublisher(mqtt_settings(broker.port), ADDRESS, tmp_path / "state")
    with publisher:
        wait_for_status(publisher, lambda status: status.connected)
        broker.kill()
        wait_for_status(publisher, lambda status: not status.connected)
        publisher.answer(Answer(f"{ROOT}/reply/plc", {"n": 1}))
        publisher.answer(Answer(f"{ROOT}/reply/plc", {"n": 2}))
        publisher._answers.put(Message(f"{ROOT}/reply/plc", b"{}"))
        numbers = [number for number, _ in publisher._answers.unsent(set())]
        assert numbers == [1, 2, 3]
        broker.start()
        wait_for_status(publisher, lambda status: status.connections == 2)
        while publisher._answers.unsent(set()):
            threading.Event().wait(0.02)


def test_a_broker_that_forbids_to_listen_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Mosquitto's own access lists let anyone subscribe and deliver nothing; its plugins and other brokers refuse."""
    connection = BrokerConnection(mqtt_settings(1883, protocol="5"), "station", Message(f"{ROOT}/state", b""))
    reasons = [ReasonCode(PacketTypes.SUBACK, "Granted QoS 1"), ReasonCode(PacketTypes.SUBACK, "Not authorized")]
    connection._on_subscribe(None, None, 1, reasons, None)
    assert "why=Not authorized" in caplog.text


def test_the_line_of_answers_is_bounded_and_forgets_the_old(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Answers()
    monkeypatch.setattr(waiting_answers, "MAX_WAITING", 3)
    for number in range(5):
        line.put(Message("t", str(number).encode()))
    assert [message.payload for _, message in line.unsent(set())] == [b"2", b"3", b"4"]
    assert line.dropped == 2
    monkeypatch.setattr(waiting_answers, "MAX_AGE_S", -1.0)
    assert [number for number, _ in line.unsent({4})] == [5] or line.unsent({4}) == []
    assert line.dropped >= 3
    line.done(4)
    line.done(99)
    assert line.unsent(set()) == []


def test_in_memory_too() -> None:
    heard: list[Incoming] = []
    publisher = MemoryPublisher(MemorySettings(kind="memory"))
    publisher.hear(Incoming("cmd/state", b"nobody listens"))
    publisher.listen(["cmd/+"], heard.append)
    with publisher:
        publisher.hear(Incoming("cmd/state", b"{}"))
        publisher.hear(Incoming("cmd/a/b", b"{}"))
        publisher.answer(Answer("x", {"ok": 1}))
    assert [message.topic for message in heard] == ["cmd/state"]
    assert [answer.body for answer in publisher.answers] == [{"ok": 1}]
    assert isinstance(publisher, Channel)
