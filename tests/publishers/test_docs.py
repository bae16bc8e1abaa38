"""docs/mqtt.md, docs/asyncapi.yaml, docs/schemas and the code say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.commands import NAME_ALARM
from edge.commands.assembly import MEMORY_ALARM
from edge.health import Health
from edge.io.outputs import ALARM as OUTPUTS_ALARM
from edge.loop.results import new_result_id
from edge.opcua.front import ALARM as OPCUA_ALARM
from edge.publishers.base import RecordKind
from edge.publishers.sender import CONFLICT_ALARM
from edge.publishers.station_payloads import StationStatus
from edge.schema import read_yaml, validate
from edge.settings.mqtt import MqttSettings, OutboxSettings
from edge.types import ReasonCode
from edge.views import CAMERA_ALARM
from tests.loop.test_report import Told, View, camera, reporter
from tests.publishers.samples import NOW
from tests.schemas import FOLDER, TOPICS, schema_of, validate_message, validator

DOCS = FOLDER.parent
PAGE = (DOCS / "mqtt.md").read_text()
PARTS = ("camera", "product", "recipe", "recipeVersion", "bundle", "engine")
EXAMPLES = re.findall(r"^`([^`\n]+)`\n\n```json\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)


# What a command prints; tests/doctor holds the output to it.
PRINTED = ("doctor",)


@pytest.mark.parametrize("name", sorted(path.name.removesuffix(".schema.json") for path in FOLDER.iterdir()))
def test_schemas_are_schemas_and_in_use(name: str) -> None:
    assert validator(name).schema["title"] == f"lineclear/{name}/1"
    assert name in {*TOPICS.values(), *PRINTED}


def test_the_page_has_an_example_of_every_schema() -> None:
    """Those of commands and replies stand in docs/commands.md, and tests/commands/test_docs.py looks at them."""
    told = {name for name in TOPICS.values() if name != "reply" and not name.startswith("command-")}
    assert {schema_of(topic) for topic, _ in EXAMPLES} == told


@pytest.mark.parametrize(("topic", "text"), EXAMPLES)
def test_examples_are_valid(topic: str, text: str) -> None:
    validate_message(topic, text.encode())


def example(topic: str, number: int = 0) -> dict[str, Any]:
    body: dict[str, Any] = json.loads([text for shown, text in EXAMPLES if shown == topic][number])
    return body


def test_the_examples_are_one_station_as_it_speaks() -> None:
    """Identities have the form that the code gives them, and what names something else names what is on the page."""
    fail, lost, clearance = example("view/feeder/result"), example("view/nest/result"), example("clearance/result")
    state, alarm = example("state"), example("alarm/view_nest")
    assert (fail["outcome"], lost["reason"]["code"], clearance["outcome"]) == ("FAIL", "camera_lost", "NOT_CLEAR")
    form = re.sub("[0-9a-f]", "0", new_result_id(NOW))
    for body in (fail, lost):
        assert re.sub("[0-9a-f]", "0", body["resultId"]) == form
        assert f"clearance-{body['jobId']}" == clearance["resultId"]
        (voted,) = [view for view in clearance["views"] if view["view"] == body["view"]]
        assert body["resultId"] in {result["resultId"] for result in voted["results"]}
        (shown,) = [view for view in state["views"] if view["view"] == body["view"]]
        assert {key: shown[key] for key in PARTS} == {key: body[key] for key in PARTS}
    assert example("view/feeder/image/overlay/meta")["resultId"] == fail["resultId"]
    assert state["reason"] == "; ".join(f"{view['view']}: {view['reason']}" for view in state["views"] if not view["ready"])
    assert (alarm["code"], alarm["text"]) == ("view_nest", state["reason"])


def test_the_page_has_every_alarm() -> None:
    with Told() as publisher:
        reporter(publisher).report((View("feeder", camera("live")),), Health())
    said = {record.topic.removeprefix("alarm/") for record in publisher.records if record.kind is RecordKind.ALARM}
    shown = re.findall(r"^\| `([a-z_{}]+)` \|", PAGE.split("### Alarms")[1].split("## ")[0], re.MULTILINE)
    watching = {"supervision", "config_changed", "config_not_kept", CAMERA_ALARM}
    others = watching | {"audit", "evidence", NAME_ALARM, MEMORY_ALARM, "trigger_{name}", OUTPUTS_ALARM, OPCUA_ALARM}
    others |= {"check_{name}", "check_{name}_old", "metrics"}
    assert {code.replace("{view}", "feeder") for code in shown} == said | {CONFLICT_ALARM} | others
    speakers = {path.name for path in (DOCS.parent / "edge").rglob("*.py") if "alarm_record(" in path.read_text()}
    assert speakers == {"station_payloads.py", "report.py", "sender.py", "watching.py"}


def test_the_page_has_every_status() -> None:
    section = PAGE.split("| `status` in `state` | meaning |")[1].split("### Alarms")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [status.value for status in StationStatus]


def test_settings_on_the_page_are_valid_and_show_the_defaults() -> None:
    (text,) = re.findall(r"```yaml\npublisher:\n(.*?)```", PAGE, re.DOTALL)
    shown = yaml.safe_load(text)
    settings = validate(MqttSettings, shown, "mqtt.md")
    fields = MqttSettings.model_fields
    for key in ("keepalive_s", "image_cap_bytes", "image_meta"):
        assert getattr(settings, key) == fields[key].default
    assert settings.outbox == OutboxSettings()
    assert (settings.effective_port, settings.protocol) == (8883, "5")


def test_the_schema_knows_every_reason() -> None:
    (_, reason) = validator("result").schema["properties"]["reason"]["oneOf"]
    assert reason["properties"]["code"]["enum"] == [code.value for code in ReasonCode]
    (_, again) = validator("clearance").schema["properties"]["views"]["items"]["properties"]["reason"]["oneOf"]
    assert again == reason


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ("state", b'{"schema": "lineclear/state/1", "status": "offline", "reason": "stopped", "more": 1}'),
        (
            "health",
            b'{"schema": "lineclear/health/1", "uptimeS": NaN, "values": {}, "creationTime": "2026-11-22T04:05:06.789Z"}',
        ),
        ("health", b'{"schema": "lineclear/health/1", "uptimeS": 1, "values": {}, "creationTime": "2026-11-22 04:05:06"}'),
        ("alarm/x", b'{"schema": "lineclear/alarm/1"}'),
        ("view/front/image/overlay", b"GIF89a"),
        ("view/front/elsewhere", b"{}"),
    ],
)
def test_the_helper_refuses_what_is_wrong(topic: str, text: bytes) -> None:
    with pytest.raises(AssertionError):
        validate_message(topic, text)


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "PASS"},
        {"reason": {"code": "overrun", "detail": ""}},
        {"resultState": 4},
        {"score": None},
        {"regionCount": "1"},
    ],
)
def test_the_result_schema_refuses_contradictions(change: dict[str, Any]) -> None:
    start = example("view/nest/result" if "outcome" in change else "view/feeder/result")
    assert not validator("result").is_valid({**start, **change})


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"]] if "$ref" in node else []
        return here + [found for value in node.values() for found in references(value)]
    return [found for value in node for found in references(value)] if isinstance(node, list) else []


def test_asyncapi_points_at_what_exists() -> None:
    document = read_yaml(DOCS / "asyncapi.yaml")
    assert document["asyncapi"] == "3.0.0"
    for reference in references(document):
        if reference.startswith("#/"):
            node = document
            for part in reference[2:].split("/"):
                node = node[part]
        else:
            assert (DOCS / reference).is_file(), reference


def test_asyncapi_knows_every_topic_and_its_schema() -> None:
    document = read_yaml(DOCS / "asyncapi.yaml")
    seen = set()
    for name, channel in document["channels"].items():
        address = channel["address"].removeprefix("{root}/{site}/{area}/{line}/{station}/")
        assert set(channel["parameters"]) == set(re.findall(r"\{(\w+)\}", channel["address"]))
        (message,) = channel["messages"]
        payload = document["components"]["messages"][message].get("payload")
        if payload:
            topic = re.sub(r"\{\w+\}", "x", address)
            assert payload["schema"]["$ref"] == f"schemas/{schema_of(topic)}.schema.json"
            seen.add(schema_of(topic))
        told_elsewhere = address.startswith(("cmd/", "reply/"))  # docs/commands.md, and its own tests
        assert told_elsewhere or f"`{address}`" in PAGE, f"{name} is not on the page"
    assert seen == set(TOPICS.values())
    sent = {operation["channel"]["$ref"] for operation in document["operations"].values()}
    assert sent == {f"#/channels/{name}" for name in document["channels"]}


def test_page_links_exist() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (DOCS / Path(target.split("#")[0])).exists(), target
