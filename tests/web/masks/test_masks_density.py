"""The layer of false alarms, from a real archive that real parts wrote."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.web.masking.density import STEPS, Density, boxes_of, density_of, picture_of
from edge.archive import Archive, Evidence
from edge.recipe import Content, load_recipe, save
from edge.settings.archive import ArchiveSettings
from tests.calibration.evidence import START, Line, bad, good, recipe_at
from tests.station_parts import scene
from tests.web.masks.parts import VIEW, Studio

UNTIL = START + timedelta(days=300)
SPOT = (150 / 240, 100 / 180)
"""Where `with_leftover` leaves something, in 0..1."""


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path / "archive", recipe_at(tmp_path))


def release(line: Line, ids: list[str], *, who: str = "A. Meier", view: str = "front", number: int = 1) -> None:
    """A clearance whose view was released by a person."""
    at = START + timedelta(hours=500 + number)
    results = [{"resultId": result_id, "outcome": "FAIL"} for result_id in ids]
    document = {
        "resultId": f"clearance-{number}",
        "creationTime": at.isoformat(),
        "views": [{"view": view, "release": {"who": who, "why": "dust"} if who else None, "results": results}],
    }
    with Archive(line.folder, ArchiveSettings(min_free_bytes=0)) as archive:
        archive.submit(Evidence(f"clearance-{number}", "clearance", "RELEASED_BY", "", at, document, clearance_id=str(number)))


def counted(line: Line, **called: set[str]) -> Density:
    return density_of(line.reader, load_recipe(line.recipe.path), START, UNTIL, **called)


def test_what_was_released_counts_where_it_was(line: Line) -> None:
    ids = line.run([*bad(3), *good(2)])
    release(line, ids[:2])
    release(line, ids[:2], number=2)  # the release of another view later repeats this one
    found = counted(line)
    assert (found.results, found.most, found.bounded) == (2, 2, False)
    row, column = int(SPOT[1] * found.counts.shape[0]), int(SPOT[0] * found.counts.shape[1])
    assert found.counts[row, column] == 2
    assert (found.counts > 0).mean() < 0.25


def test_what_was_not_released_or_is_of_another_view_does_not_count(line: Line) -> None:
    ids = line.run(bad(3))
    release(line, ids[:1], who="")
    release(line, ids[1:2], view="back", number=2)
    assert counted(line).results == 0


def test_labels_count_and_speak_against_a_release(line: Line) -> None:
    ids = line.run([*bad(3), *good(1)])
    release(line, ids[:1])
    found = counted(line, called_good={ids[1], ids[3], "gone", ""}, called_bad={ids[0]})
    assert (found.results, found.unreadable) == (1, 1)  # the good frame passed anyway, one is gone, one was bad after all


def test_results_on_another_reference_are_left_out_and_said(line: Line) -> None:
    ids = line.run(bad(2))
    release(line, ids)
    recipe = line.recipe
    save(recipe.path, Content(recipe.document, recipe.bundle, scene(9), recipe.masks, recipe.card))
    found = counted(line)
    assert (found.results, found.other_reference) == (0, 2)
    assert not found.counts.any()


def test_times_are_kept_to(line: Line) -> None:
    ids = line.run(bad(2))
    found = density_of(line.reader, line.recipe, START + timedelta(hours=2), UNTIL, set(ids))
    assert found.results == 1
    assert density_of(line.reader, line.recipe, UNTIL, UNTIL + timedelta(days=1), set(ids)).results == 0


def test_the_picture_has_fixed_steps_and_a_transparent_ground() -> None:
    counts = np.array([[0, 1, 2, 3], [4, 7, 8, 500]], np.uint16)
    picture = cv2.imdecode(np.frombuffer(picture_of(Density(counts, 1, 1)), np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture[0, 0].tolist() == [0, 0, 0, 0]
    kinds = [tuple(picture[row, column]) for row, column in ((0, 1), (0, 2), (1, 0), (1, 2))]
    assert len(set(kinds)) == len(STEPS) == 4
    assert (picture[0, 2] == picture[0, 3]).all()
    assert (picture[1, 2] == picture[1, 3]).all()


@pytest.mark.parametrize(
    "document",
    [{}, {"regions": None}, {"regions": [None, 3, {}]}, {"regions": [{"box": {"x": None, "y": 0, "width": 1, "height": 1}}]},
     {"regions": [{"box": {"x": 0, "y": 0, "width": -1, "height": 1}}]}, {"regions": "abc"}],
)  # fmt: skip
def test_documents_without_places_have_none(document: dict) -> None:
    assert boxes_of(document) == []


def test_the_page_shows_what_it_rests_on(room: Studio) -> None:
    client = room.client()
    told = client.get(f"/masks/{VIEW}/density?days=30").json()
    assert told["results"] == 0  # no archive yet
    assert "No false alarms" in told["text"]
    line = Line(room.site.archive.folder, room.recipe)
    ids = line.run(bad(2))
    entry = line.reader.get(ids[0])
    assert entry is not None
    room.labels.give(line.reader, entry, "good", "A. Meier", note="dust")
    days = 365 if datetime.now(timezone.utc) - START < timedelta(days=365) else None
    if days is None or datetime.now(timezone.utc) < START:
        pytest.skip("the sample's fixed times lie outside of every choice")
    told = client.get(f"/masks/{VIEW}/density?days={days}").json()
    assert told["results"] == 1
    assert "counted: 1" in told["text"]
    answer = client.get(f"/masks/{VIEW}/density.png?days={days}")
    assert answer.headers["content-type"] == "image/png"
    picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture[int(SPOT[1] * picture.shape[0]), int(SPOT[0] * picture.shape[1]), 3] > 0
