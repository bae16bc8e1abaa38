"""docs/commands.md, the schemas, docs/asyncapi.yaml, configs/mosquitto and the code say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from jsonschema import Draft202012Validator

from edge.clearance import ClearanceOrder, ReviewOrder
from edge.commands.orders import ARCHIVE_LIMIT, COMMANDS, ClearanceCommand, ReviewCommand
from edge.commands.refusals import ErrorCode
from edge.commands.replies import Status
from edge.schema import read_yaml, validate
from edge.settings import commands
from edge.settings.commands import ROLES, CommandSettings
from tests.commands.schema_files import FOLDER, schemas, text_of
from tests.test_docs import default_of, table

ROOT = FOLDER.parents[1]
PAGE = (ROOT / "docs" / "commands.md").read_text()
EXAMPLES = re.findall(r"^`([^`\n]+)`\n\n```json\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", sorted(schemas()))
def test_the_schema_files_are_those_of_the_models(name: str) -> None:
    """Made anew with `python -m tests.commands.schema_files`."""
    schema = schemas()[name]
    Draft202012Validator.check_schema(schema)
    assert (FOLDER / f"{name}.schema.json").read_text() == text_of(schema)


def test_there_is_no_schema_of_something_else() -> None:
    found = {path.name for pattern in ("command*.json", "reply*.json") for path in FOLDER.glob(pattern)}
    assert found == {f"{name}.schema.json" for name in schemas()}


def test_every_schema_is_closed() -> None:
    def closed(node: Any) -> bool:
        if isinstance(node, dict):
            here = "properties" not in node or "if" in node or node.get("additionalProperties") is False
            return here and all(closed(value) for key, value in node.items() if key not in ("if", "then", "else"))
        return all(closed(each) for each in node) if isinstance(node, list) else True

    assert all(closed(schema) for schema in schemas().values())


def test_the_page_has_every_command_with_its_keys() -> None:
    rows = table(PAGE, "Commands: what may be asked of a station", "command | what it does | says beside the envelope | right")
    envelope = {"schema_name", "request_id", "client", "sent_at", "signature"}
    assert [row[0] for row in rows] == list(COMMANDS)
    for row, spec in zip(rows, COMMANDS.values(), strict=True):
        keys = set(re.findall(r"`(\w+)`", f"`{row[2]}`")) & set(spec.model.model_fields)
        assert keys == set(spec.model.model_fields) - envelope, row[0]
    assert f"at most {ARCHIVE_LIMIT}" in PAGE


def test_the_page_has_every_code_status_role_and_setting() -> None:
    assert [row[0] for row in table(PAGE, "The reply", "`error.code` | what happened")] == list(get_args(ErrorCode))
    assert {row[0] for row in table(PAGE, "The reply", "`status` | meaning")} == set(get_args(Status))
    shown = {row[0]: set(re.findall(r"`(\w+)`", f"`{row[1]}`")) for row in table(PAGE, "Rights", "role | rights")}
    for role, rights in ROLES.items():
        spelt = {right for name in shown[role] for right in (ROLES.get(name) or (name,))}
        assert spelt == set(rights)
    settings = {row[0]: row[1] for row in table(PAGE, "commands", "key | default | meaning")}
    fields = CommandSettings.model_fields
    assert settings == {**{name: default_of(field) for name, field in fields.items()}, "enabled": "true"}
    assert list(get_args(commands.CommandName)) == list(COMMANDS)


@pytest.mark.parametrize(("topic", "text"), EXAMPLES)
def test_examples_are_valid(topic: str, text: str) -> None:
    name = "reply" if topic.startswith("reply/") else topic.replace("cmd/", "command-")
    Draft202012Validator(schemas()[name]).validate(json.loads(text))


def test_settings_on_the_page_and_beside_the_broker_are_valid() -> None:
    texts = re.findall(r"```yaml\ncommands:\n(.*?)```", PAGE, re.DOTALL)
    assert len(texts) == 2
    for text in texts:
        validate(CommandSettings, yaml.safe_load(text), "commands.md")
    example = yaml.safe_load((ROOT / "configs" / "mosquitto" / "station.yaml.example").read_text())
    validate(CommandSettings, example["commands"], "station.yaml.example")


def test_asyncapi_knows_every_command_and_the_reply() -> None:
    document = read_yaml(ROOT / "docs" / "asyncapi.yaml")
    prefix = "{root}/{site}/{area}/{line}/{station}/"
    for name in COMMANDS:
        key = f"command{name.capitalize()}"
        assert document["channels"][key]["address"] == f"{prefix}cmd/{name}"
        payload = document["components"]["messages"][key]["payload"]["schema"]["$ref"]
        assert payload == f"schemas/command-{name}.schema.json"
        operation = document["operations"][f"hear{name.capitalize()}"]
        assert (operation["action"], operation["channel"]["$ref"]) == ("receive", f"#/channels/{key}")
    assert document["channels"]["reply"]["address"] == prefix + "reply/{client}"


def test_the_clearance_commands_ask_for_what_clearances_take() -> None:
    """The packages do not know each other; what one says the other must understand."""
    envelope = {"schema_name", "client", "sent_at", "signature"}
    for command, order in ((ClearanceCommand, ClearanceOrder), (ReviewCommand, ReviewOrder)):
        assert set(command.model_fields) - envelope == set(order.model_fields) - {"requested_at"}
        for name in set(command.model_fields) - envelope:
            ours, theirs = (model.model_json_schema()["properties"][name] for model in (command, order))
            for limit in ("maxLength", "maxItems", "maxProperties", "enum", "type"):
                assert ours.get(limit) == theirs.get(limit), (name, limit)


def test_page_links_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert target.startswith("https://") or (ROOT / "docs" / Path(target)).exists(), target
