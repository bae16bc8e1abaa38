"""docs/doctor.md, the schema and the code say the same."""

import re
from pathlib import Path

from edge.doctor.examinations import MACHINE, STATION, kinds
from edge.doctor.history import LAST_FAULT, OUTBOX
from edge.doctor.limits import LIMITS
from edge.doctor.views import BOOK
from tests.schemas import validator

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "doctor.md").read_text()
ROW = re.compile(r"^\| ((?:`[^`]+`(?:, )?)+) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)


def test_every_kind_of_check_has_its_row() -> None:
    documented = [name for match in ROW.finditer(DOCS) for name in re.findall(r"`([^`]+)`", match[1])]
    assert len(set(documented)) == len(documented)
    assert set(documented) == set(kinds())


def test_every_limit_is_documented_with_its_value_and_reason() -> None:
    table = re.findall(r"^\| ([^|`]+) \| ([^|`]+) \| ([^|]+) \|$", DOCS.split("## Limits")[1], re.MULTILINE)
    rows = [row for row in table if row[0] not in ("limit", "---")]
    assert rows == [(limit.name, str(limit), limit.why) for limit in LIMITS]


def test_every_limit_is_used() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "edge" / "doctor").glob("*.py") if path.name != "limits.py")
    names = re.findall(r"^([A-Z_]+): Final = Limit\(", (ROOT / "edge" / "doctor" / "limits.py").read_text(), re.MULTILINE)
    assert len(names) == len(LIMITS)
    assert [name for name in names if not re.search(rf"\b{name}\b", source)] == []


def test_the_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([a-z0-9./-]+\.md)\)", DOCS):
        assert (ROOT / "docs" / target).is_file() or target == "first-gpu.md", target


def test_no_kind_hides_behind_another_examination() -> None:
    listed = [kind for each in MACHINE + STATION for kind in each.kinds]
    assert len(set(listed)) == len(listed)


def test_files_of_the_station_have_the_names_that_it_gives_them() -> None:
    from edge.clearance import assembly
    from edge.publishers import mqtt
    from edge.watching import LAST_FAULT as WRITTEN

    assert (BOOK, OUTBOX, LAST_FAULT) == (assembly.BOOK, mqtt.OUTBOX_FILE, WRITTEN)


def test_the_schema_is_one() -> None:
    schema = validator("doctor").schema
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(schema["properties"])
