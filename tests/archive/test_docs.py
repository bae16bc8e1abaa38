"""docs/archive.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from edge.archive import verifying
from edge.settings.archive import ArchiveSettings, KeepSettings
from tests.archive.samples import packed
from tests.test_docs import default_of, table

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "archive.md").read_text()


@pytest.mark.parametrize(("heading", "model"), [("archive", ArchiveSettings), ("archive.keep", KeepSettings)])
def test_every_setting_is_on_the_page_with_its_default(heading: str, model: type[BaseModel]) -> None:
    shown = {row[0]: row[1] for row in table(PAGE, heading, "key | default | meaning")}
    assert shown == {
        name: str(field.default).lower() if isinstance(field.default, bool) else default_of(field)
        for name, field in model.model_fields.items()
    }


def test_the_names_on_the_page_are_those_on_the_disk() -> None:
    shown = re.search(r"archive/(2026-11-22/07/20261122T071503\.123Z_front_FAIL_)[0-9a-f]{12}\.frame\.png", PAGE)
    one = packed(0)
    assert shown is not None
    assert f"{one.record.folder}/{one.record.files['frame'].name}".startswith(shown[1])
    for name in one.contents:
        assert "." + name.split(".", 2)[2] in PAGE


def test_every_finding_is_on_the_page() -> None:
    kinds = re.findall(r'Finding\("(\w+)"', Path(verifying.__file__).read_text())
    assert kinds
    for kind in kinds:
        assert f"`{kind}`" in PAGE


@pytest.mark.parametrize(
    "part",
    [
        "evidence is not being kept: ", "lies on another disk than before", "another process writes this archive",
        "the evidence of ", "old evidence is not deleted", "the clock leapt ", "the disk is full", "the disk is read-only",
        "the folder is gone",
    ],
)  # fmt: skip
def test_the_alarms_on_the_page_are_those_of_the_code(part: str) -> None:
    source = "".join(path.read_text() for path in Path(verifying.__file__).parent.glob("*.py"))
    assert part in PAGE
    assert part in source
