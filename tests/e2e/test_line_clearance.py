"""Two batches as a line has them: a station process, a PLC process, a broker that restarts, a relay."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import process
from tests.e2e.parts import (
    PRODUCTS,
    TABLET,
    TOPIC,
    VIEWS,
    PlcProcess,
    make_recipes,
    plc_process,
    station_process,
    write_config,
)
from tests.io.building import until
from tests.mosquitto import Mosquitto, free_port, mosquitto
from tests.opcua.serving import value_of
from tests.schemas import validator

PERSON = {"who": "A. Meier", "why": "looked, nothing is there"}


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recipes(tmp_path_factory.mktemp("e2e"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder, "persistence true", f"persistence_location {folder}/") as running:
        yield running


def changeover(plc: PlcProcess) -> None:
    assert {view["product"] for view in plc("await_ready")["views"]} == {""}
    said = plc.ask("recipe", product="zinc", who="A. Meier", why="next order")
    assert (said["status"], said["error"]["code"]) == ("error", "refused")
    assert "zinc" in said["error"]["message"]
    said = plc.ask("recipe", product=PRODUCTS[1], who="A. Meier", why="next order")
    assert (said["status"], said["result"]["product"], said["result"]["changed"]) == ("ok", PRODUCTS[1], True)
    assert plc.ask("state")["result"]["product"] == PRODUCTS[1]


def challenge(plc: PlcProcess) -> None:
    result = plc.ask("challenge", who="A. Meier")["result"]
    assert result["passed"]
    assert [(view["view"], view["images"]) for view in result["views"]] == [(view, 2) for view in VIEWS]


def is_clear(clearance: dict[str, Any]) -> None:
    assert (clearance["outcome"], clearance["reasons"]) == ("CLEAR", [])
    assert {view["view"]: view["outcome"] for view in clearance["views"]} == dict.fromkeys(VIEWS, "PASS")


def has_leftover(clearance: dict[str, Any], where: str) -> None:
    """NOT_CLEAR for this view alone, with a region over the leftover that is not much larger than it."""
    assert clearance["outcome"] == "NOT_CLEAR"
    views = {view["view"]: view for view in clearance["views"]}
    assert {name: view["outcome"] for name, view in views.items()} == {n: "FAIL" if n == where else "PASS" for n in VIEWS}
    assert not any(views[name]["regions"] for name in VIEWS if name != where)
    assert any(_covers(region["frameBox"]) for region in views[where]["regions"]), views[where]["regions"]


def _covers(box: dict[str, float]) -> bool:
    x, y, size = TABLET.x * 240, TABLET.y * 160, TABLET.size * 240
    is_over = box["x"] <= x <= box["x"] + box["width"] and box["y"] <= y <= box["y"] + box["height"]
    return is_over and max(box["width"], box["height"]) <= 2 * size


def overrides_are_refused(plc: PlcProcess, result_id: str) -> None:
    order = {"result_id": result_id, "views": ["nest"], "action": "false_alarm", **PERSON}
    said = plc.ask("review", **order)
    assert (said["status"], said["error"]["code"]) == ("error", "no_right")


def checked_again_while_the_broker_restarts(plc: PlcProcess, broker: Mosquitto, not_clear: dict[str, Any]) -> dict[str, Any]:
    """The answer to `removed`, asked for before the broker went and heard after it is back."""
    order = {"result_id": not_clear["resultId"], "views": ["nest"], "action": "removed", **PERSON, "request_id": "again-1"}
    assert plc("begin", name="review", fields=order)["status"] == "progress"
    broker.stop()
    broker.start()
    plc("await_ready", connections=2)
    said = plc.ask("review", **order)
    assert (said["status"], said["result"]["outcome"]) == ("ok", "CLEAR"), said
    again: dict[str, Any] = plc("result", request_id="again-1", above=not_clear["sequence"])
    return again


def refused(said: dict[str, Any], word: str) -> None:
    assert (said["status"], said["error"]["code"]) == ("error", "refused"), said
    assert word in json.dumps(said["error"])


def the_record_stands(config: Path, tmp_path: Path) -> None:
    for command in (("audit", "verify", config), ("archive", "verify", config)):
        answer = process(*command)
        assert answer.status == 0, answer
    zipped = tmp_path / "B2.zip"
    answer = process("archive", "export", config, "--batch", "B2", "--out", zipped, "--json")
    assert answer.status == 0, answer
    assert json.loads(answer.out)["findings"] == []
    assert process("archive", "verify", zipped).status == 0


@pytest.mark.slow
def test_a_line_is_cleared_as_a_plc_does_it(tmp_path: Path, recipes: Path, broker: Mosquitto) -> None:
    port = free_port()
    config = write_config(tmp_path / "box", recipes, broker.port, opcua={"port": port})
    with plc_process(broker.port) as plc, station_process(config) as station:
        changeover(plc)
        challenge(plc)
        assert station.relay.energised_count == 0
        first = plc("clear", batch="B2", product=PRODUCTS[1])
        is_clear(first)
        until(lambda: station.relay.energised, "a fresh CLEAR did not release")
        until(lambda: plc("seen")["health"].get("opcua.serving"), "no OPC UA server")
        until(lambda: value_of(f"opc.tcp://127.0.0.1:{port}/lineclear", "Clearance.Outcome").Value.Value == "CLEAR")

        station.leave("nest", TABLET)
        second = plc("clear", batch="B2", product=PRODUCTS[1])
        has_leftover(second, "nest")
        until(lambda: not station.relay.energised, "the relay did not drop")
        overrides_are_refused(plc, second["resultId"])
        assert station.relay.energised_count == 1

        station.leave("nest")
        third = checked_again_while_the_broker_restarts(plc, broker, second)
        is_clear(third)
        assert (third["batch"], third["previousResultId"]) == ("B2", second["resultId"])
        until(lambda: station.relay.energised_count == 2, "the second CLEAR did not release")
        assert plc.ask("recipe", product=PRODUCTS[0], who="A. Meier", why="next order")["status"] == "ok"
        until(lambda: not station.relay.energised, "a changeover did not drop the relay")

        assert station.end() == 0
        assert plc("await_status", status="offline")["reason"] == "stopped"
        seen = plc("seen")
    assert (seen["problems"], seen["alarms"]) == ([], [])
    assert seen["sequences"] == [first["sequence"], second["sequence"], third["sequence"]]
    assert {"clearance", "clearance-state", "result", "state", "health", "reply"} <= seen["schemas"].keys()
    assert not station.relay.energised
    assert station.relay.energised_count == 2
    assert "Traceback" not in "".join(station.said)
    the_record_stands(config, tmp_path)


@pytest.mark.slow
def test_a_person_releases_only_with_the_right_and_after_a_look(tmp_path: Path, recipes: Path, broker: Mosquitto) -> None:
    config = write_config(tmp_path / "box", recipes, broker.port, product=PRODUCTS[1])
    with plc_process(broker.port) as plc, station_process(config) as station:
        station.leave("nest", TABLET)
        before = plc("clear", batch="B2", product=PRODUCTS[1])
        order = {
            "client": "panel-line3",
            "result_id": before["resultId"],
            "views": ["nest"],
            "action": "false_alarm",
            **PERSON,
        }
        refused(plc.ask("review", **order), "cmd/snapshot")
        other = plc.ask("snapshot", client="panel-line3", view="feeder")["result"]["result_id"]
        refused(plc.ask("review", **order, snapshots={"nest": other}), "shows feeder")
        looked = plc.ask("snapshot", client="panel-line3", view="nest")["result"]
        assert looked["outcome"] == "FAIL"
        order["snapshots"] = {"nest": looked["result_id"]}
        refused(plc.ask("review", **{**order, "who": "Kim"}), "Kim has not the right")
        said = plc.ask("review", **order, request_id="release-1")
        assert (said["status"], said["result"]["outcome"]) == ("ok", "RELEASED_BY"), said
        released = plc("result", request_id="release-1", above=before["sequence"])
        validator("clearance").validate(released)
        assert (released["operator"], released["previousResultId"]) == ("A. Meier", before["resultId"])

        station.end(signal.SIGKILL)
        plc("await_status", status="offline")
        assert plc("seen")["problems"] == []
    assert station.relay.energised_count == 0
    station.leave("nest")
    after_a_kill(config, broker, released["sequence"])
    with station_process(config) as station:
        assert not station.relay.energised
        assert station.end() == 0
    the_record_stands(config, tmp_path)


def after_a_kill(config: Path, broker: Mosquitto, last: int) -> None:
    """The number goes on, only a new CLEAR releases the line, and another kill -9 drops it."""
    with plc_process(broker.port) as plc, station_process(config) as station:
        plc("await_ready")
        assert station.relay.energised_count == 0
        after = plc("clear", batch="B2", product=PRODUCTS[1])
        is_clear(after)
        assert after["sequence"] > last
        until(lambda: station.relay.energised, "a fresh CLEAR did not release")
        station.end(signal.SIGKILL)
        until(lambda: not station.relay.energised, "kill -9 left the relay on")
        assert plc("await_status", status="offline")["reason"] == "connection_lost"
        assert plc("seen")["problems"] == []


@pytest.mark.slow
def test_two_stations_with_one_name_are_noticed(tmp_path: Path, recipes: Path, broker: Mosquitto) -> None:
    def named(client_id: str) -> Path:
        publisher = {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port, "client_id": client_id}
        return write_config(tmp_path / client_id, recipes, broker.port, publisher=publisher, outputs=None)

    with plc_process(broker.port) as plc, station_process(named("one")), station_process(named("two")):
        assert f"speaks as {TOPIC}" in plc("await_alarm", code="station_name_conflict")["text"]
        assert plc("clear", batch="B2", product=PRODUCTS[0])["outcome"] in ("CLEAR", "UNDECIDED")
