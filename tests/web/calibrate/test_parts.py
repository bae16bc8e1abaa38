"""The wizard's small parts: figures in words, pictures of scores, sources, the album's new step, trust."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.collect import FolderSource, Wanted, collect, read_album
from calibration.collect.album import Album
from calibration.web.wizard import known_bad
from calibration.web.wizard.collecting import Unhurried
from calibration.web.wizard.desk import AtWork, Desk, NotBegun
from calibration.web.wizard.histogram import HEIGHT, WIDTH, chart
from calibration.web.wizard.odds import odds, one_in
from calibration.web.wizard.sources import MOST_ARCHIVED, SnapshotSource, passed
from edge.archive import ArchiveReader, Entry
from edge.commands.band import none_above
from edge.errors import CameraLost, Cancelled, ConfigError
from tests.calibration.evidence import Line, card_for, good
from tests.station_parts import make_recipe
from tests.web.calibrate.parts import bad_png, good_png

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


@settings(max_examples=100, deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=60), st.lists(FINITE, max_size=20), st.lists(FINITE, max_size=3))
def test_every_good_score_and_every_mark_is_in_the_picture(scores: list[float], bad: list[float], marks: list[float]) -> None:
    made = chart(scores, bad, marks)
    assert sum(bar.count for bar in made.good) == len(scores)
    assert sum(bar.count for bar in made.bad) == len(bad)
    for value in (*scores, *marks):
        assert made.low <= value <= made.high
        assert 0 <= made.x(value) <= WIDTH
    for bar in (*made.good, *made.bad):
        assert bar.height >= 0
        assert 0 <= bar.y <= HEIGHT
        assert math.isfinite(bar.x + bar.width)


@given(st.floats(0, 1, allow_nan=False))
def test_one_in_never_promises_more_than_the_rate(rate: float) -> None:
    number = one_in(rate)
    assert number >= 1
    assert rate <= 1e-6 or 1 / number >= rate - 1e-9


def test_forty_frames_are_one_in_thirteen(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path)
    alarms = none_above(40)
    card = card_for(recipe, 20.0).model_copy(update={"frames": 40, "false_alarms": alarms})
    told = odds(card)
    assert (told.frames, told.most_one_in, told.expect_one_in, told.above, told.bad) == (40, 13, 41, 0, 0)


def entry(number: int, outcome: str = "PASS", files: dict[str, str] | None = None) -> Entry:
    now = datetime(2026, 11, 22, tzinfo=timezone.utc) + timedelta(minutes=number)
    kept = {"frame": "x.png"} if files is None else files
    return Entry(
        f"r{number}", "verdict", "front", outcome, "", now, "", "", None, "", "front", 1, 1.0, 2.0, Path("."), kept
    )  # fmt: skip


def test_only_what_passed_and_is_kept_and_spread_over_the_time() -> None:
    entries = [entry(n) for n in range(1000)] + [entry(1001, "FAIL"), entry(1002, files={})]
    found = passed(entries)
    assert len(found) == MOST_ARCHIVED
    assert found[0].result_id == "r0"
    assert int(found[-1].result_id[1:]) > 900
    assert [e.result_id for e in passed([entry(1), entry(2, "FAIL"), entry(3, files={})])] == ["r1"]


def answers(*said: dict[str, Any]) -> Any:
    left = list(said)

    def ask(command: str, body: Any, *, timeout_s: float = 10, progress: Any = None) -> Any:
        assert (command, body["view"]) == ("snapshot", "front")
        return left.pop(0)

    return ask


def never(_seconds: float) -> None:
    return None


def test_a_snapshot_is_read_without_loss_from_the_archive(tmp_path: Path) -> None:
    line = Line(tmp_path / "archive", make_recipe(tmp_path))
    images = good(2)
    ids = line.run(images)
    source = SnapshotSource("front", answers(*({"result_id": one} for one in ids)), line.reader, "0" * 64, 0, never)
    shots = source.shots()
    for image in images:
        shot = next(shots)
        assert np.array_equal(shot.image, image)  # type: ignore[union-attr]


def test_a_camera_that_is_away_ends_it_and_a_lost_frame_does_not(tmp_path: Path) -> None:
    reader = ArchiveReader(tmp_path / "none")
    lost = {"result_id": "a", "reason": {"code": "frame_lost", "detail": "two were lost"}}
    away = {"result_id": "b", "reason": {"code": "camera_lost", "detail": "was unplugged"}}
    shots = SnapshotSource("front", answers(lost, away), reader, None, 0, never).shots()
    assert next(shots).why == "two were lost"  # type: ignore[union-attr]
    with pytest.raises(CameraLost, match="was unplugged"):
        next(shots)


def test_a_frame_that_the_station_did_not_keep_says_what_to_set(tmp_path: Path) -> None:
    line = Line(tmp_path / "archive", make_recipe(tmp_path))
    line.run(good(1))
    waited: list[float] = []
    source = SnapshotSource("front", answers({"result_id": "gone"}), line.reader, None, 0, waited.append)
    with pytest.raises(ConfigError, match="no lossless copy") as refused:
        next(source.shots())
    assert "archive.enabled" in refused.value.remedy
    assert 4 < sum(waited) < 6


def test_waiting_notices_that_it_was_stopped() -> None:
    steps: list[tuple[int, int]] = []

    def progress(done: int, total: int, what: str = "") -> None:
        steps.append((done, total))
        if len(steps) == 3:
            raise Cancelled("stopped")

    report = Unhurried(progress, never)
    report(1, 5, "x")
    with pytest.raises(Cancelled):
        report.wait(60)
    assert steps == [(1, 5)] * 3


def album(tmp_path: Path, count: int = 3) -> tuple[Path, Wanted]:
    recipe = make_recipe(tmp_path / "recipes")
    source = tmp_path / "pictures"
    source.mkdir()
    for number in range(count):
        (source / f"{number}.png").write_bytes(good_png(number))
    wanted = Wanted(view="front", who="tina", recipe=recipe)
    heard: list[Any] = []
    collect(FolderSource(source), tmp_path / "album", wanted, told=heard.append)
    (source / "again.png").write_bytes(good_png(0))
    collect(FolderSource(source), tmp_path / "album", wanted, told=heard.append)
    assert [one.check for one in heard] == ["copy"] * (count + 1)
    return tmp_path / "album", wanted


def test_a_frame_leaves_the_album_and_a_cut_in_between_is_mended(tmp_path: Path) -> None:
    folder, _ = album(tmp_path)
    document = read_album(folder)
    with Album(folder, document) as opened:
        opened.remove("0002.png")
        assert [frame.file for frame, _ in opened.images()] == ["0001.png", "0003.png"]
        with pytest.raises(ConfigError, match="holds no frame"):
            opened.remove("0002.png")
    (folder / "0003.png").rename(folder / ".removed-0003.png")  # cut off before the list was written
    with Album(folder, document) as opened:
        assert [frame.file for frame, _ in opened.images()] == ["0001.png", "0003.png"]
    (folder / ".removed-0009.png").write_bytes(b"cut off after it")
    with Album(folder, document):
        assert not list(folder.glob(".removed-*"))


def test_bad_frames_are_kept_once_and_taken_out_by_name(tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    picture.write_bytes(bad_png(1))
    name = known_bad.add_file(tmp_path / "bad", picture)
    assert known_bad.add_file(tmp_path / "bad", picture) == name
    assert known_bad.bad_frames(tmp_path / "bad") == (name,)
    with pytest.raises(ConfigError, match="no such frame"):
        known_bad.remove(tmp_path / "bad", "../p.png")
    known_bad.remove(tmp_path / "bad", name)
    assert picture.exists()
    with pytest.raises(ConfigError, match="there are none"):
        known_bad.add_folder(tmp_path / "bad", tmp_path / "nowhere")


def test_one_desk_per_view_whatever_its_name(tmp_path: Path) -> None:
    names = ["a b", "a_b", "..", "ä", "a.b"]
    folders = {Desk(tmp_path, name).folder for name in names}
    assert len(folders) == len(names)
    assert {folder.parent for folder in folders} == {tmp_path / "wizard"}


def test_a_desk_belongs_to_one_person_at_a_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "front")
    with pytest.raises(NotBegun):
        desk.mine("tina")
    begun = desk.begin("tina", "Tina Vogel", "/recipes/front", 1, keep_frames=False)
    assert desk.begin("tina", "Tina Vogel", "/recipes/front", 1, keep_frames=False) == begun
    with pytest.raises(AtWork, match="Tina Vogel"):
        desk.begin("anna", "Anna Meier", "/recipes/front", 1, keep_frames=False)
    with pytest.raises(AtWork):
        desk.change("anna", masks_seen=True)
    assert desk.change("tina", masks_seen=True).masks_seen
    assert desk.take_over("anna", "Anna Meier").masks_seen
    with pytest.raises(AtWork, match="Anna Meier"):
        desk.discard("tina", frames=True)
    desk.discard("anna", frames=True)
    assert desk.state() is None
