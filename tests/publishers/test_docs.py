"""docs/mqtt.md, docs/asyncapi.yaml, docs/schemas and the code say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.schema import read_yaml, validate
from edge.settings.mqtt import MqttSettings, OutboxSettings
from edge.types import ReasonCode
from tests.schemas import FOLDER, TOPICS, schema_of, validate_message, validator

DOCS = FOLDER.parent
PAGE = (DOCS / "mqtt.md").read_text()
EXAMPLES = re.findall(r"^`([^`\n]+)`\n\n```json\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", sorted(path.name.removesuffix(".schema.json") for path in FOLDER.iterdir()))
def test_schemas_are_schemas_and_in_use(name: str) -> None:
    assert validator(name).schema["title"] == f"lineclear/{name}/1"
    assert name in TOPICS.values()


def test_the_page_has_an_example_of_every_schema() -> None:
    assert {schema_of(topic) for topic, _ in EXAMPLES} == set(TOPICS.values())


@pytest.mark.parametrize(("topic", "text"), EXAMPLES)
def test_examples_are_valid(topic: str, text: str) -> None:
    validate_message(topic, text.encode())


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
    fail = json.loads(next(text for topic, text in EXAMPLES if topic == "view/front/result"))
    undecided = json.loads(next(text for topic, text in EXAMPLES if topic == "view/top/result"))
    start = undecided if "outcome" in change else fail
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
        assert f"`{address}`" in PAGE, f"{name} is not on the page"
    assert seen == set(TOPICS.values())
    sent = {operation["channel"]["$ref"] for operation in document["operations"].values()}
    assert sent == {f"#/channels/{name}" for name in document["channels"]}


def test_page_links_exist() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (DOCS / Path(target)).exists(), target
