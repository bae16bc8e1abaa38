"""What a station listens to: bad topics are named where they are given, and who hears nothing asks for nothing."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from edge.errors import ConfigError
from edge.publishers.base import Incoming
from edge.publishers.broker import BrokerConnection, Message
from edge.publishers.hearing import Ears
from edge.publishers.memory import MemoryPublisher
from edge.publishers.mqtt import MqttPublisher
from edge.settings.mqtt import MemorySettings
from tests.mosquitto import WAIT_S, Mosquitto, mosquitto
from tests.publishers.samples import ADDRESS, ROOT, mqtt_settings
from tests.publishers.waiting import wait_for_status

GOOD = ["cmd/+", "cmd/#", "#", "+", "+/+", "+/#", "health", "trigger/gate 1", "a//b", "/", "né"]
BAD = ["", "a+b", "a/b#", "#/a", "a/#/b", "cmd/++", "a\0b", "\ud800"]


@pytest.mark.parametrize("topic", GOOD)
def test_topics_that_a_broker_takes(topic: str) -> None:
    assert Ears((topic,), print).topics == (topic,)
    assert paho.Client._filter_wildcard_len_check(topic.encode()) == paho.MQTT_ERR_SUCCESS


@pytest.mark.parametrize("topic", [*BAD, None, 7, b"cmd/+", ("cmd/+", 1)])
def test_topics_that_no_broker_takes_are_named_where_they_are_given(topic: Any, tmp_path: Path) -> None:
    publishers = (MemoryPublisher(MemorySettings(kind="memory")), MqttPublisher(mqtt_settings(1883), ADDRESS, tmp_path))
    for publisher in publishers:
        with pytest.raises(ConfigError, match="cannot be listened to"):
            publisher.listen(["cmd/+", topic], print)
        assert publisher._ears == []


def test_a_lone_text_is_one_topic_and_not_its_letters() -> None:
    heard: list[Incoming] = []
    publisher = MemoryPublisher(MemorySettings(kind="memory"))
    publisher.listen("cmd/#", heard.append)
    for topic in ("cmd/state", "health"):
        publisher.hear(Incoming(topic, b"{}"))
    assert [message.topic for message in heard] == ["cmd/state"]


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize("listens", [False, True])
def test_a_station_that_hears_nothing_subscribes_to_nothing(tmp_path: Path, protocol: str, listens: bool) -> None:
    with mosquitto(tmp_path) as broker:
        publisher = MqttPublisher(mqtt_settings(broker.port, protocol=protocol), ADDRESS, tmp_path / "state")
        publisher.listen(["cmd/+"] if listens else [], print)
        with publisher:
            wait_for_status(publisher, lambda status: status.connected)
        assert publisher.status.reason == "stopped"
        assert publisher.status.connections == 1
        assert any("SUBSCRIBE from" in line for line in stopped(broker).log) == listens


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_no_topics_are_no_packet_and_the_connection_goes_on(tmp_path: Path, protocol: str) -> None:
    heard: queue.Queue[list[Incoming]] = queue.Queue()
    with mosquitto(tmp_path) as broker:
        settings = mqtt_settings(broker.port, protocol=protocol)
        connection = BrokerConnection(settings, "station", Message(f"{ROOT}/state", b""))
        connection.open()
        connection.subscribe([])
        connection.subscribe(())
        connection.subscribe([f"{ROOT}/cmd/+"])
        connection.send(Message(f"{ROOT}/cmd/state", b"{}"))
        while heard.empty():
            connection.step(WAIT_S)
            if received := connection.received():
                heard.put(received)
        connection.close()
        assert [message.topic for message in heard.get()] == [f"{ROOT}/cmd/state"]
        assert sum("SUBSCRIBE from" in line for line in stopped(broker).log) == 1


def stopped(broker: Mosquitto) -> Mosquitto:
    """Its log is whole once it has ended."""
    broker.stop()
    return broker
