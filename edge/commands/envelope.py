"""From the bytes of a message to a command, and to the address of its reply. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from edge.commands.canonical import canonical
from edge.commands.orders import COMMANDS, Command
from edge.commands.refusals import Refused
from edge.commands.words import one_line
from edge.errors import ConfigError
from edge.schema import validate
from edge.settings.mqtt import topic_level

MAX_BYTES: Final = 256 * 1024
_MAX_NAME: Final = 128
_MAX_CLIENT: Final = 80
_MAX_LEVELS: Final = 6
_MAX_PROBLEMS: Final = 20


@dataclass(frozen=True)
class Letter:
    """A message as far as it can be read. client, request_id: "" where it names none that can be used."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
    client: str = ""
    request_id: str = ""
    problem: Refused | None = None


def read(name: str, payload: bytes) -> Letter:
    """The message of `cmd/{name}`; `problem` says why it is none. Never raises."""
    if len(payload) > MAX_BYTES:
        return Letter(name, problem=Refused("oversized", f"{len(payload)} bytes, at most {MAX_BYTES}"))
    try:
        data = json.loads(payload.decode("utf-8"), object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
        canonical(data)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        return Letter(name, problem=Refused("malformed", f"is no JSON that can be used ({why})"))
    if not isinstance(data, dict):
        return Letter(name, problem=Refused("malformed", "is no JSON object", remedy="see docs/commands.md"))
    return Letter(name, data, _client(data.get("client")), _request_id(data.get("request_id")))


def command_of(letter: Letter) -> Command:
    """The command in it, whole and valid. Refused: unknown_command, invalid."""
    spec = COMMANDS.get(letter.name)
    if spec is None:
        known = ", ".join(COMMANDS)
        raise Refused("unknown_command", f"there is no command {letter.name[:40]!r}", remedy=f"there are {known}")
    where = f"cmd/{letter.name}"
    try:
        return validate(spec.model, dict(letter.data), where)
    except ConfigError as error:
        lines = tuple(line.removeprefix(f"{where}: ")[:300] for line in error.problems[:_MAX_PROBLEMS])
        raise Refused("invalid", error.message[:300], remedy=f"see command-{letter.name}.schema.json", problems=lines) from None


def reply_topic(root: str, client: str, response_topic: str) -> str:
    """Where the reply goes, "" if nowhere: the requester's own topic if it lies below reply/{client} of this station, else
    reply/{client}. Nobody can make the station speak anywhere else.
    """
    own = f"{root}/reply/"
    if response_topic.startswith(own):
        levels = response_topic.removeprefix(own).split("/")
        if len(levels) <= _MAX_LEVELS and all(_client(level) for level in levels) and client in ("", levels[0]):
            return response_topic
    return f"{own}{client}" if client else ""


def _client(value: object) -> str:
    """The value if it can be one level of a topic, else ""."""
    if not isinstance(value, str) or len(value) > _MAX_CLIENT:
        return ""
    try:
        return topic_level(value)
    except ValueError:
        return ""


def _request_id(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_NAME:
        return ""
    try:
        return one_line(value)
    except ValueError:
        return ""


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is written twice")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
