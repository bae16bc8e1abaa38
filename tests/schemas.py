"""Every message that a test sees is held against docs/schemas with this."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from edge.commands.orders import COMMANDS

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"
# Topic, as far as it comes after the station's root, and the schema of its messages.
TOPICS = {
    **{rf"cmd/{name}": f"command-{name}" for name in COMMANDS},
    r"reply/[^/]+(/.+)?": "reply",
    r"view/[^/]+/result": "result",
    r"view/[^/]+/image/[^/]+/meta": "image",
    r"clearance/result": "clearance",
    r"clearance/state": "clearance-state",
    r"state": "state",
    r"health": "health",
    r"alarm/[a-z][a-z0-9_]*": "alarm",
}
_IMAGE = re.compile(r"(?:.+/)?view/[^/]+/image/[^/]+")
_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}


@cache
def validator(name: str) -> Draft202012Validator:
    """The validator of one schema by its short name (`result`)."""
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def schema_of(topic: str) -> str:
    """Short name of the schema for a topic (relative to the station's root, or whole); AssertionError for an unknown one."""
    for pattern, name in TOPICS.items():
        if re.fullmatch(rf"(?:.+/)?{pattern}", topic):
            return name
    raise AssertionError(f"{topic}: a topic that docs/mqtt.md does not know")


def validate_message(topic: str, payload: bytes) -> Any:
    """The decoded JSON of a message, None for an image or a cleared alarm; AssertionError says what breaks the schema."""
    if _IMAGE.fullmatch(topic):
        assert any(payload.startswith(magic) for magic in _MAGIC), f"{topic}: neither JPEG nor PNG"
        return None
    name = schema_of(topic)
    if name == "alarm" and not payload:
        return None
    body = json.loads(payload, parse_constant=_refuse_constant)
    problems = [f"{topic}: {error.json_path}: {error.message}" for error in validator(name).iter_errors(body)]
    assert not problems, "\n".join(problems)
    return body


def _refuse_constant(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")
