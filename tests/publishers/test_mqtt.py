from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import ConfigError, StationBusy
from edge.publishers.base import Publisher, RecordKind
from edge.publishers.mqtt import MqttPublisher
from edge.publishers.payloads import EncodedImage, image_records, verdict_record
from edge.publishers.station_payloads import StationStatus, alarm_record, health_record, state_record
from tests.contracts.publisher import PublisherContract
from tests.mosquitto import (
    Mosquitto,
    Received,
    Subscriber,
    mosquitto,
)
from tests.publishers.samples import ADDRESS, NOW, ROOT, mqtt_settings, password_file, png, region, verdict
from tests.publishers.waiting import wait_for_status
from tests.publishers.wire import CutWire
from tests.schemas import validate_message

PROTOCOLS = ("3.1.1", "5")


def bodies(messages: list[Received]) -> list[dict[str, object]]:
    return [validate_message(message.topic, message.payload) for message in messages]


class _OnMosquitto(PublisherContract):
    protocol = ""

    @pytest.fixture(autouse=True)
    def _listen(self, broker: Mosquitto) -> Iterator[None]:
        self.broker = broker
        with Subscriber(broker.port) as self.subscriber:
            yield
        for message in self.subscriber.messages:
            validate_message(message.topic, message.payload)

    def make(self, folder: Path) -> Publisher:
        return MqttPublisher(mqtt_settings(self.broker.port, protocol=self.protocol), ADDRESS, folder / "state")

    def arrived(self, publisher: Publisher, kind: RecordKind, count: int) -> list[str]:
        if kind is RecordKind.VERDICT:
            return [str(body["resultId"]) for body in bodies(self.subscriber.wait_for_topic("/result", count))]
        if kind is RecordKind.IMAGE:
            self.subscriber.wait_for(lambda all_: sum("/image/" in m.topic and "/meta" not in m.topic for m in all_) >= count)
            images = [m for m in self.subscriber.messages if "/image/" in m.topic and not m.topic.endswith("/meta")]
            if self.protocol == "5":
                return ["front-00000001"] * len(images)  # a 3.1.1 subscriber sees no properties; tested below
            metas = {
                m.topic: validate_message(m.topic, m.payload) for m in self.subscriber.messages if m.topic.endswith("/meta")
            }
            return [metas[f"{image.topic}/meta"]["resultId"] for image in images]
        end = {RecordKind.STATE: "state", RecordKind.HEALTH: "health", RecordKind.ALARM: "alarm/disk_low"}[kind]
        return [message.topic for message in self.subscriber.wait_for_topic(end, count)]


class TestMqttPublisher311(_OnMosquitto):
    protocol = "3.1.1"


class TestMqttPublisher5(_OnMosquitto):
    protocol = "5"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_birth_and_goodbye(broker: Mosquitto, tmp_path: Path, protocol: str) -> None:
    with Subscriber(broker.port, f"{ROOT}/state") as other:
        with MqttPublisher(mqtt_settings(broker.port, protocol=protocol), ADDRESS, tmp_path) as publisher:
            publisher.publish(state_record(StationStatus.READY, NOW, station="north", versions={"lineclear": "0.1.0"}))
            other.wait_for_topic("state", 1)
        seen = bodies(other.wait_for_topic("state", 2))
    assert [body["status"] for body in seen] == ["ready", "offline"]
    assert seen[1]["reason"] == "stopped"
    with Subscriber(broker.port, f"{ROOT}/state", client_id="late") as late:
        (kept,) = late.wait_for_topic("state", 1)
    assert kept.retain
    assert bodies([kept])[0]["status"] == "offline"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_last_will_speaks_for_a_station_that_died(broker: Mosquitto, tmp_path: Path, protocol: str) -> None:
    with (
        Subscriber(broker.port, f"{ROOT}/state") as other,
        CutWire(broker.port) as wire,
        MqttPublisher(mqtt_settings(wire.port, protocol=protocol), ADDRESS, tmp_path) as publisher,
    ):
        publisher.publish(state_record(StationStatus.READY, NOW))
        other.wait_for_topic("state", 1)
        wire.cut()
        seen = bodies(other.wait_for_topic("state", 2))
        assert seen[1] == {"schema": "lineclear/state/1", "status": "offline", "reason": "connection_lost"}
        wire.mend()
        seen = bodies(other.wait_for_topic("state", 3))
        assert seen[2]["status"] == "ready"


def test_only_the_newest_present_is_told_after_an_absence(broker: Mosquitto, tmp_path: Path) -> None:
    with CutWire(broker.port) as wire, Subscriber(broker.port) as other:
        wire.cut()
        with MqttPublisher(mqtt_settings(wire.port), ADDRESS, tmp_path) as publisher:
            for number in range(5):
                publisher.publish(health_record({"frames": number}, NOW, 1.0))
            publisher.publish(alarm_record("disk_low", "2 GB left", NOW), alarm_record("clock", "jumped", NOW))
            publisher.publish(alarm_record("disk_low", None, NOW), verdict_record(verdict(1)))
            wire.mend()
            other.wait_for_topic("/result")
    health = [validate_message(m.topic, m.payload) for m in other.messages if m.topic.endswith("health")]
    assert [body["values"] for body in health] == [{"frames": 4}]
    alarms = [(message.topic, bool(message.payload)) for message in other.messages if "alarm" in message.topic]
    assert alarms == [(f"{ROOT}/alarm/clock", True), (f"{ROOT}/alarm/disk_low", False)]


def test_a_cleared_alarm_leaves_the_broker(broker: Mosquitto, tmp_path: Path) -> None:
    with MqttPublisher(mqtt_settings(broker.port), ADDRESS, tmp_path) as publisher, Subscriber(broker.port) as other:
        publisher.publish(alarm_record("disk_low", "2 GB left", NOW))
        other.wait_for_topic("alarm/disk_low", 1)
        publisher.publish(alarm_record("disk_low", None, NOW))
        raised, cleared = other.wait_for_topic("alarm/disk_low", 2)
        assert validate_message(raised.topic, raised.payload)["code"] == "disk_low"
        assert cleared.payload == b""
        publisher.publish(alarm_record("end", "of test", NOW))
        with Subscriber(broker.port, client_id="late") as late:
            late.wait_for_topic("alarm/end", 1)
            assert not [message for message in late.messages if "disk_low" in message.topic]


def test_v5_image_names_its_result(broker: Mosquitto, tmp_path: Path) -> None:
    one = verdict(1)
    settings = mqtt_settings(broker.port, protocol="5")
    with Subscriber(broker.port, protocol="5") as other, MqttPublisher(settings, ADDRESS, tmp_path) as publisher:
        publisher.publish(verdict_record(one), *image_records(one, {"overlay": png()}))
        (image,) = other.wait_for_topic("image/overlay")
        (result,) = other.wait_for_topic("/result")
    assert image.payload == png().data
    assert image.content_type == "image/png"
    sha256 = hashlib.sha256(image.payload).hexdigest()
    assert image.properties == {"result_id": one.result_id, "view": "front", "kind": "overlay", "sha256": sha256}
    assert result.content_type == "application/json"
    assert not [message for message in other.messages if message.topic.endswith("/meta")]


@pytest.mark.parametrize("settings", [{"protocol": "3.1.1"}, {"protocol": "5", "image_meta": "always"}])
def test_meta_goes_before_its_image(broker: Mosquitto, tmp_path: Path, settings: dict[str, str]) -> None:
    one = verdict(1)
    publisher = MqttPublisher(mqtt_settings(broker.port, **settings), ADDRESS, tmp_path)
    with Subscriber(broker.port) as other, publisher:
        publisher.publish(verdict_record(one), *image_records(one, {"overlay": png(600, 800)}))
        other.wait_for_topic("image/overlay")
    order = [message for message in other.messages if "/image/" in message.topic]
    assert [message.topic.rsplit("/", 1)[1] for message in order] == ["meta", "overlay"]
    meta = validate_message(order[0].topic, order[0].payload)
    assert meta["resultId"] == one.result_id
    assert meta["sha256"] == hashlib.sha256(order[1].payload).hexdigest()
    assert meta["sizeBytes"] == len(order[1].payload) <= 256_000
    assert meta["contentType"] == "image/jpeg"


def test_the_brokers_packet_limit_is_kept(tmp_path: Path) -> None:
    large = verdict(1)
    large = verdict(
        1, judgement=type(large.judgement)(large.outcome, None, 9.5, 4.0, 4.0, tuple(region(float(n)) for n in range(90)))
    )
    small = verdict(2)
    with (
        mosquitto(tmp_path, "max_packet_size 6000") as broker,
        Subscriber(broker.port) as other,
        MqttPublisher(mqtt_settings(broker.port, protocol="5"), ADDRESS, tmp_path) as publisher,
    ):
        publisher.publish(verdict_record(large), *image_records(large, {"overlay": png(200, 300)}))
        publisher.publish(verdict_record(small))
        first, second = bodies(other.wait_for_topic("/result", 2))
        (image,) = other.wait_for_topic("image/overlay")
    assert (first["isPartial"], first["regions"], first["regionCount"], first["outcome"]) == (True, [], 90, "FAIL")
    assert not second["isPartial"]
    assert len(image.payload) < 6000
    assert validate_message(image.topic, image.payload) is None


def test_an_image_that_is_no_image_is_dropped_and_counted(broker: Mosquitto, tmp_path: Path) -> None:
    one = verdict(1)
    garbage = EncodedImage(os.urandom(300_000), "image/png")
    with MqttPublisher(mqtt_settings(broker.port), ADDRESS, tmp_path) as publisher, Subscriber(broker.port) as other:
        publisher.publish(*image_records(one, {"frame": garbage, "overlay": png()}))
        other.wait_for_topic("image/overlay")
        publisher.publish(verdict_record(one))
        other.wait_for_topic("/result")
        assert publisher.health()["outbox.refused_image"] == 1
    assert not [message for message in other.messages if "image/frame" in message.topic]


def test_v5_says_at_once_that_another_took_the_name(broker: Mosquitto, tmp_path: Path) -> None:
    settings = mqtt_settings(broker.port, protocol="5")
    with MqttPublisher(settings, ADDRESS, tmp_path) as publisher:
        wait_for_status(publisher, lambda status: status.connected)
        with Subscriber(broker.port, client_id=ADDRESS.client_id):
            wait_for_status(publisher, lambda status: status.client_id_conflict)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_two_stations_with_one_name_are_noticed(broker: Mosquitto, tmp_path: Path, protocol: str) -> None:
    settings = mqtt_settings(broker.port, protocol=protocol, reconnect_max_s=0.02)
    with (
        Subscriber(broker.port) as other,
        MqttPublisher(settings, ADDRESS, tmp_path / "a") as one,
        MqttPublisher(settings, ADDRESS, tmp_path / "b") as two,
    ):
        for number in range(5):
            one.publish(verdict_record(verdict(number)))
            two.publish(verdict_record(verdict(number, "top")))
        (alarm, *_) = other.wait_for_topic("alarm/client_id_conflict")
        assert "client_id" in validate_message(alarm.topic, alarm.payload)["text"]
        assert one.status.client_id_conflict or two.status.client_id_conflict
        other.wait_for_topic("front/result", 5)
        other.wait_for_topic("top/result", 5)


def test_a_state_folder_serves_one_station(broker: Mosquitto, tmp_path: Path) -> None:
    with MqttPublisher(mqtt_settings(broker.port), ADDRESS, tmp_path), pytest.raises(StationBusy, match=str(os.getpid())):
        MqttPublisher(mqtt_settings(broker.port), ADDRESS, tmp_path).__enter__()


def test_a_password_that_others_can_read_is_refused_at_the_start(tmp_path: Path) -> None:
    shared = password_file(tmp_path, mode=0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        MqttPublisher(mqtt_settings(1, credentials_file=shared), ADDRESS, tmp_path).__enter__()


def test_results_go_before_images_that_wait(broker: Mosquitto, tmp_path: Path) -> None:
    with CutWire(broker.port) as wire, Subscriber(broker.port) as other:
        wire.cut()
        with MqttPublisher(mqtt_settings(wire.port), ADDRESS, tmp_path) as publisher:
            for number in range(30):
                publisher.publish(verdict_record(verdict(number)), *image_records(verdict(number), {"overlay": png()}))
            wire.mend()
            other.wait_for_topic("image/overlay", 30)
    topics = [message.topic.removeprefix(ROOT) for message in other.messages if message.topic.endswith(("result", "overlay"))]
    assert topics == ["/view/front/result"] * 30 + ["/view/front/image/overlay"] * 30
