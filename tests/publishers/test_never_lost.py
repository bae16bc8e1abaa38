"""Every verdict that publish() returned for arrives, in order per topic, and what comes twice has the same resultId.

What is proven, and what is not: while the broker lives, nothing is lost, whatever happens to the connection or to the
station (cut at random bytes; SIGKILL). When the broker itself is killed, what was in the station's outbox at that moment
arrives; a message that the broker had acknowledged but not yet handed to its subscribers is the broker's to keep, and
Mosquitto keeps it only if `persistence` had written it: the test does not count on that.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from edge.publishers.mqtt import OUTBOX_FILE, MqttPublisher
from edge.publishers.outbox import Outbox
from edge.publishers.payloads import verdict_record
from edge.settings.mqtt import OutboxSettings
from tests.mosquitto import Mosquitto, Received, Subscriber, mosquitto
from tests.publishers.publishing_child import VIEWS
from tests.publishers.samples import ADDRESS, mqtt_settings, verdict
from tests.publishers.wire import CutWire
from tests.schemas import validate_message

LIVES = 50


def first_deliveries(messages: Iterable[Received]) -> dict[str, list[int]]:
    """View -> trigger numbers in the order of their first delivery; every repetition is the same message again."""
    order: dict[str, list[int]] = defaultdict(list)
    seen: dict[str, bytes] = {}
    for message in messages:
        body = validate_message(message.topic, message.payload)
        if not message.topic.endswith("/result"):
            continue
        if body["resultId"] in seen:
            assert seen[body["resultId"]] == message.payload
            continue
        seen[body["resultId"]] = message.payload
        order[body["view"]].append(body["triggerNumber"])
    return order


def results_in(messages: Iterable[Received]) -> set[str]:
    return {json.loads(message.payload)["resultId"] for message in messages if message.topic.endswith("/result")}


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_wire_that_is_cut_anywhere(broker: Mosquitto, tmp_path: Path, protocol: str) -> None:
    chance = random.Random(2026)
    budgets = iter([chance.randrange(1, 40_000) for _ in range(60)])
    numbers = range(300)
    with Subscriber(broker.port) as other, CutWire(broker.port, budgets) as wire:
        with MqttPublisher(mqtt_settings(wire.port, protocol=protocol, reconnect_max_s=0.02), ADDRESS, tmp_path) as publisher:
            for number in numbers:
                publisher.publish(*(verdict_record(verdict(number, view)) for view in VIEWS))
            wanted = {verdict(number, view).result_id for number in numbers for view in VIEWS}
            other.wait_for(lambda messages: wanted <= results_in(messages[-50:]) | _all(messages), "every verdict")
        assert wire.cuts >= 20
    assert first_deliveries(other.messages) == {view: list(numbers) for view in VIEWS}


def _all(messages: list[Received]) -> set[str]:
    """Cheap enough only when there can be enough of them."""
    return results_in(messages) if len(messages) >= 900 else set()


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_broker_killed_for_the_length_of_500_verdicts(tmp_path: Path, protocol: str) -> None:
    before, away, after = range(100), range(100, 600), range(600, 700)
    kept = ("persistence true", f"persistence_location {tmp_path}/", "autosave_on_changes true", "autosave_interval 1")
    with mosquitto(tmp_path, *kept) as broker, Subscriber(broker.port, client_id="mes", clean=False) as other:
        settings = mqtt_settings(broker.port, protocol=protocol, reconnect_max_s=0.5)
        with MqttPublisher(settings, ADDRESS, tmp_path) as publisher:
            for number in before:
                publisher.publish(verdict_record(verdict(number)))
                if number == before[-1] - 10:
                    broker.kill()
            for number in away:
                publisher.publish(verdict_record(verdict(number)))
            waiting = publisher.health()["outbox.results"]
            assert isinstance(waiting, int)
            assert waiting >= len(away)
            broker.start()
            for number in after:
                publisher.publish(verdict_record(verdict(number)))
            last = verdict(after[-1]).result_id
            other.wait_for(lambda messages: last in results_in(messages[-5:]), "the last verdict")
    arrived = first_deliveries(other.messages)["front"]
    kept_from = 700 - waiting - len(after)  # the first that the broker had not acknowledged when it died
    assert [number for number in arrived if number >= kept_from] == list(range(kept_from, 700))
    assert arrived == sorted(arrived)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_station_killed_at_random_moments(broker: Mosquitto, tmp_path: Path, protocol: str) -> None:
    chance = random.Random(50)
    published: list[int] = []
    with Subscriber(broker.port) as other:
        for life in range(LIVES // 2):
            published += _live(broker.port, protocol, tmp_path, life * 100_000, chance.randrange(1, 120))
        _live(broker.port, protocol, tmp_path, -1, None)
        other.wait_for(lambda messages: messages[-1].topic.endswith("/state"), "the goodbye")
    with Outbox(tmp_path / OUTBOX_FILE, OutboxSettings()) as outbox:
        assert outbox.depth.rows == 0
        assert outbox.counters() == {}
    arrived = first_deliveries(other.messages)
    for view in VIEWS:
        assert arrived[view] == sorted(arrived[view])
        assert set(published) <= set(arrived[view])
    assert arrived["front"] == arrived["top"] == arrived["left"]  # one publish() is one transaction
    assert len(published) > LIVES


def _live(port: int, protocol: str, state_dir: Path, first: int, kill_after: int | None) -> list[int]:
    """One life of the station: the numbers that publish() returned for, as far as it could still say so."""
    command = [sys.executable, "-m", "tests.publishers.publishing_child", str(port), protocol, str(state_dir), str(first)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as child:
        assert child.stdout is not None
        numbers: list[int] = []
        if kill_after is not None:
            numbers += [int(child.stdout.readline()) for _ in range(kill_after)]
            child.kill()
        rest = child.stdout.read().split("\n")[:-1]
        child.wait()
    assert (child.returncode == 0) == (kill_after is None)
    return numbers + [int(line) for line in rest]
