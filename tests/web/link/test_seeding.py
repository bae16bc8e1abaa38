"""What the page takes from the archive when it starts: real archives, whole and damaged."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from calibration.web.link import Mirror
from calibration.web.link.seeding import seed
from edge.archive import Archive, ArchiveReader, Evidence
from edge.settings.archive import ArchiveSettings
from tests.station_parts import scene
from tests.web.link.parts import example, heard, mirror

BEGUN = datetime(2026, 11, 22, 5, 0, tzinfo=timezone.utc)


def body(view: str, number: int, **changes: Any) -> dict[str, Any]:
    at = BEGUN + timedelta(minutes=number)
    made = {"view": view, "resultId": f"{view}-{number}", "outcome": "PASS", "reason": None, "creationTime": at.isoformat()}
    return example("view/feeder/result", **{**made, **changes})


def clearance(number: int, **changes: Any) -> dict[str, Any]:
    return example("clearance/result", **{"resultId": f"clearance-{number}", "sequence": number, **changes})


def fill(folder: Path, bodies: list[dict[str, Any]]) -> Path:
    with Archive(folder, ArchiveSettings(min_free_bytes=0, pass_share=1.0)) as archive:
        for number, each in enumerate(bodies):
            is_clearance = each.get("schema") == "lineclear/clearance/1"
            archive.submit(
                Evidence(
                    result_id=each["resultId"], kind="clearance" if is_clearance else "verdict", outcome=each["outcome"],
                    reason="", decided_at=BEGUN + timedelta(minutes=number), document=each,
                    view="" if is_clearance else each["view"], batch="B", frame=None if is_clearance else scene(),
                )
            )  # fmt: skip
    return folder


def seeded(folder: Path, *views: str) -> Mirror:
    page = mirror(*views)
    seed(page, ArchiveReader(folder), views or ("feeder", "nest"))
    return page


def shown(page: Mirror) -> dict[str, str]:
    return {name: view.result["resultId"] for name, view in page.now().views.items() if view.result is not None}


def damage(folder: Path, result_id: str) -> None:
    entry = ArchiveReader(folder).get(result_id)
    assert entry is not None
    path = entry.folder / entry.files["document"]
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def test_the_newest_of_each_view_and_the_last_clearance(tmp_path: Path) -> None:
    folder = fill(tmp_path, [body("feeder", 0), body("nest", 1), body("feeder", 2), clearance(4), clearance(5)])
    page = seeded(folder)
    assert shown(page) == {"feeder": "feeder-2", "nest": "nest-1"}
    now = page.now()
    assert now.clearance is not None
    assert now.clearance["sequence"] == 5
    assert now.views["feeder"].heard_at == BEGUN + timedelta(minutes=2), "by its own time: it was not heard now"
    assert now.heard_at is None, "an archive is no sign of life"


def test_what_was_heard_is_newer_than_the_archive(tmp_path: Path) -> None:
    page = mirror()
    page.hear(heard("view/feeder/result", body("feeder", 30)))
    page.hear(heard("clearance/result", clearance(9)))
    seed(page, ArchiveReader(fill(tmp_path, [body("feeder", 3), clearance(4)])), ("feeder", "nest"))
    now = page.now()
    assert shown(page) == {"feeder": "feeder-30"}
    assert now.clearance is not None
    assert now.clearance["sequence"] == 9


@pytest.mark.parametrize("damaged", ["clearance-5", "feeder-2"])
def test_one_damaged_document_hides_nothing_else(tmp_path: Path, damaged: str) -> None:
    folder = fill(tmp_path, [body("nest", 1), body("feeder", 2), clearance(5)])
    damage(folder, damaged)
    page = seeded(folder)
    found = {*shown(page).values(), *([page.now().clearance["resultId"]] if page.now().clearance else [])}  # type: ignore[index]
    assert found == {"nest-1", "feeder-2", "clearance-5"} - {damaged}


def test_a_document_that_is_no_result_is_left_out(tmp_path: Path) -> None:
    bodies = [body("feeder", 0), {**body("nest", 1), "score": "high"}, clearance(4, sequence=-1)]
    page = seeded(fill(tmp_path, bodies))
    assert shown(page) == {"feeder": "feeder-0"}
    assert page.now().clearance is None


@pytest.mark.parametrize("broken", ["none", "index"])
def test_without_an_archive_nothing_is_known_and_nothing_breaks(tmp_path: Path, broken: str) -> None:
    if broken == "index":
        fill(tmp_path, [body("feeder", 0)])
        for path in tmp_path.glob("index*"):
            path.write_bytes(b"no database at all" * 100)
    page = seeded(tmp_path)
    assert shown(page) == {}
    assert page.now().clearance is None
