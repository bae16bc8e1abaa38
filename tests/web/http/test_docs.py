"""docs/page.md names every setting with its default, and every event of the log."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from calibration.web import settings
from edge.logs import TEMPLATE
from tests.cli.running import ROOT
from tests.test_docs import headings, table

PAGE = (ROOT / "docs" / "page.md").read_text()
LEVELS = {"debug", "info", "warning", "error", "critical"}
BLOCKS = {
    "top level": settings.PageSettings,
    "tls": settings.PageTls,
    "behind_proxy": settings.ProxySettings,
    "sessions": settings.SessionSettings,
    "lockout": settings.LockoutSettings,
    "passwords": settings.PasswordSettings,
    "limits": settings.LimitSettings,
    "freshness": settings.FreshnessSettings,
}


def default(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, BaseModel):
        return "below"
    if isinstance(value, float):
        return f"{value:g}"
    return {None: "none", (): "empty", True: "true", False: "false"}.get(value, str(value)) if value != 0 else "0"


@pytest.mark.parametrize("heading", BLOCKS)
def test_every_setting_is_there_with_its_default(heading: str) -> None:
    model = BLOCKS[heading]
    shown = {row[0]: row[1] for row in table(PAGE, heading, "key | default | meaning")}
    assert shown == {name: default(model, name) for name in model.model_fields}


def test_every_block_is_there() -> None:
    assert headings(PAGE) == set(BLOCKS)


def events() -> Iterator[tuple[str, str, str]]:
    for path in sorted((ROOT / "calibration" / "web").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and ast.unparse(node.func.value) in ("log", "_LOG", "logger")
                and node.func.attr in LEVELS
            ):
                assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}"
                yield f"{path.name}:{node.lineno}", node.func.attr, str(node.args[0].value)


def test_every_event_of_the_log_is_there_with_its_level() -> None:
    assert not [f"{where} {text}" for where, _, text in events() if TEMPLATE.fullmatch(text) is None]
    shown = dict(re.findall(r"^\| `([a-z0-9_]+)` \| (\w+) \|", PAGE.partition("## Its log")[2], re.MULTILINE))
    assert shown == {text.partition(" ")[0]: level for _, level, text in events()}
