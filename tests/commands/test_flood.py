"""A flood through a real broker: what the station holds afterwards. 100,000: `python -m benchmarks.commands --mosquitto`."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

from edge.publishers import mqtt as publishing
from edge.publishers.answers import MAX_WAITING
from edge.publishers.delivery import Delivery
from edge.publishers.mqtt import MqttPublisher
from tests.commands.floods import fuzzed
from tests.commands.parts import ROOT, Rig, running, settings, until
from tests.mosquitto import WAIT_S, mosquitto
from tests.publishers.samples import ADDRESS, mqtt_settings
from tests.publishers.waiting import wait_for_status

COUNT = 1500
LONGEST = 2000
OURS = str(Path(publishing.__file__).parents[1] / "*")
PAHO = str(Path(paho.__file__).parent / "*")


def sent_by_the_flood(port: int, seed: int, count: int = COUNT) -> None:
    """At QoS 1, so that all of it has reached the broker when this returns."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for message in fuzzed(seed, count):
        sent = client.publish(f"{ROOT}/{message.topic}", message.payload[:LONGEST], 1)
    sent.wait_for_publish(WAIT_S)
    client.disconnect()
    client.loop_stop()


def looked_at(rig: Rig) -> int:
    return sum(int(count or 0) for key, count in rig.commands.values().items() if key.startswith("commands."))


def delivery() -> Delivery:
    # By its type: isinstance would ask every object of the process for its class, and torch has some that warn.
    (found,) = [each for each in gc.get_objects() if type(each) is Delivery]
    return found


@contextmanager
def station(recipes: Path, folder: Path, port: int, **limits: Any) -> Iterator[tuple[Rig, MqttPublisher]]:
    publisher = MqttPublisher(mqtt_settings(port), ADDRESS, folder / "state")
    config = settings(rights={"plc": ("reader", "cancel", "recipe")}, **limits)
    with running(recipes, folder, config, publisher=publisher, root=ADDRESS.topic) as rig:
        wait_for_status(publisher, lambda status: status.connected)
        yield rig, publisher


def test_nothing_of_a_flood_stays_in_the_station(recipes: Path, tmp_path: Path) -> None:
    """Every message looked at and answered: neither paho nor we keep any of it, and a second flood holds no more."""
    open_to_all = {"per_s": 100_000, "burst": 100_000, "waiting": 10_000}
    with mosquitto(tmp_path) as broker, station(recipes, tmp_path, broker.port, **open_to_all) as (rig, publisher):

        def flood(seed: int) -> int:
            """Bytes that station and paho hold when all of it was looked at; who floods and the broker's log are not theirs."""
            seen = looked_at(rig)
            sent_by_the_flood(broker.port, seed)
            until(lambda: looked_at(rig) >= seen + COUNT and not publisher._answers.unsent(set()))
            gc.collect()
            traces = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, OURS), tracemalloc.Filter(True, PAHO)])
            return sum(trace.size for trace in traces.traces)

        while not looked_at(rig):
            sent_by_the_flood(broker.port, 0, 10)
        tracemalloc.start()
        try:
            flood(1)
            before = flood(2)
            after = flood(3)
        finally:
            tracemalloc.stop()
        assert after - before < 150_000
        delivered = delivery()
        client = delivered._connection._client
        until(lambda: not delivered._in_flight)
        assert not delivered._answered
        assert not client._in_messages
        assert not client._out_messages
        assert not client._out_packet
        assert publisher._answers.dropped <= 3 * COUNT - MAX_WAITING
        assert not rig.commands._desk._in_work


def test_a_flood_that_is_dropped_unread_is_answered_seldom(recipes: Path, tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, station(recipes, tmp_path, broker.port, per_s=1, burst=1) as (rig, publisher):
        while not looked_at(rig):
            sent_by_the_flood(broker.port, 0, 10)
        seen = looked_at(rig)
        sent_by_the_flood(broker.port, 1)
        until(lambda: looked_at(rig) >= seen + COUNT)
        counted = rig.commands.values()
        dropped = sum(int(count or 0) for key, count in counted.items() if key.endswith(".dropped"))
        assert dropped > COUNT // 2
        assert publisher.status.connections == 1
        until(lambda: not publisher._answers.unsent(set()))
        assert publisher._answers.dropped == 0
