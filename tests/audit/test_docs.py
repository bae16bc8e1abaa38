"""docs/audit.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from edge.audit import Action, AuditLog, verifying
from edge.settings.audit import AuditSettings
from tests.test_docs import default_of, table

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "audit.md").read_text()


def test_every_setting_is_on_the_page_with_its_default() -> None:
    shown = {row[0]: row[1] for row in table(PAGE, "audit", "key | default | meaning")}
    assert shown == {name: default_of(field) for name, field in AuditSettings.model_fields.items()}


def test_every_action_is_on_the_page() -> None:
    rows = table(PAGE, "What is in it", "action | recorded when")
    assert [row[0] for row in rows] == [action.value for action in Action]


def test_every_member_of_an_entry_is_on_the_page(tmp_path: Path) -> None:
    document = AuditLog(tmp_path).append(Action.START, who="me", subject="station").document()
    rows = table(PAGE, "What is in it", "member | meaning")
    assert re.findall(r"\w+", " ".join(row[0] for row in rows)) == list(document)


def test_every_finding_is_on_the_page() -> None:
    kinds = re.findall(r'(?:_find\(|Finding\()"(\w+)"', Path(verifying.__file__).read_text())
    rows = table(PAGE, "Verify it", "finding | what was done")
    assert {row[0] for row in rows} == set(kinds)
