"""docs/schemas/command-*.schema.json and reply.schema.json from the models: `python -m tests.commands.schema_files`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge.commands.orders import COMMANDS
from edge.commands.replies import Reply

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def schemas() -> dict[str, dict[str, Any]]:
    """Short name -> schema."""
    found = {f"command-{name}": spec.model.model_json_schema() for name, spec in COMMANDS.items()}
    found["reply"] = Reply.model_json_schema(mode="serialization")
    return {name: _headed(name, _untitled(schema)) for name, schema in found.items()}


def text_of(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _headed(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:lineclear:schema:{name}:1",
        "title": f"lineclear/{name}/1",
    }
    return {**head, **schema}


def _untitled(node: Any, *, is_names: bool = False) -> Any:
    """Without the titles that pydantic makes of the fields' names; descriptions on one line."""
    if isinstance(node, list):
        return [_untitled(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for key, value in node.items():
        if not is_names and key == "title":
            continue
        if not is_names and key == "description":
            kept[key] = " ".join(value.split())
        else:
            kept[key] = _untitled(value, is_names=key in ("properties", "$defs") and not is_names)
    return kept


if __name__ == "__main__":
    for short, made in schemas().items():
        (FOLDER / f"{short}.schema.json").write_text(text_of(made))
