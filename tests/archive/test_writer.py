"""The archive beside a station: it keeps what it is given, and whatever happens to the disk it never stops the judge."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from edge.archive import Archive, ArchiveReader, verify
from edge.archive.writer import DRAIN_S
from edge.settings.archive import ArchiveSettings
from tests.archive.samples import OVERLAY, START, bare, evidence, files, frame, running, settings, stored, until

CHILD = Path(__file__).with_name("archiving_child.py")


def test_what_is_handed_in_is_found_again(tmp_path: Path) -> None:
    given = evidence(1)
    reader = stored(tmp_path, given)
    (entry,) = reader.find()
    assert entry == reader.get("result-1")
    for name in ("result_id", "kind", "view", "outcome", "reason", "decided_at", "batch", "product", "recipe_version", "score"):
        assert getattr(entry, name) == getattr(given, name), name
    np.testing.assert_array_equal(reader.frame(entry), given.frame)
    assert reader.document(entry) == given.document
    assert reader.overlay(entry) == (OVERLAY, "image/jpeg")
    found = reader.map(entry)
    np.testing.assert_allclose(found.scores, given.anomaly_map, rtol=1 / 2048)
    np.testing.assert_array_equal(found.judged, given.judged)
    np.testing.assert_array_equal(found.map_to_reference, given.map_to_reference)
    assert list(verify(reader)) == []


def test_a_frame_in_a_ring_is_copied_before_submit_returns(tmp_path: Path) -> None:
    ring = frame(1)
    slot = ring[:]
    slot.flags.writeable = False  # as a Frame holds it; its owner writes on
    wanted = ring.copy()
    with running(tmp_path) as archive:
        archive.submit(evidence(1, frame=slot))
        ring[:] = 0
    reader = ArchiveReader(tmp_path)
    np.testing.assert_array_equal(reader.frame(reader.find()[0]), wanted)


def test_a_frame_that_is_its_own_and_read_only_is_not_copied_again(tmp_path: Path) -> None:
    image = frame(1)
    image.flags.writeable = False
    archive = Archive(tmp_path, settings())
    archive.submit(evidence(1, frame=image))
    (waiting,) = archive._queue.take(0.0, 9)
    assert waiting.evidence.frame is image


def test_the_overlay_is_drawn_in_the_archives_thread(tmp_path: Path) -> None:
    threads: list[str] = []

    def draw() -> tuple[bytes, str]:
        threads.append(threading.current_thread().name)
        return OVERLAY, "image/jpeg"

    stored(tmp_path, evidence(1, overlay=draw))
    assert threads == ["archive"]


def test_a_drawing_that_fails_costs_the_picture_only(tmp_path: Path) -> None:
    def fail() -> tuple[bytes, str]:
        raise ZeroDivisionError

    with running(tmp_path) as archive:
        archive.submit(evidence(1, overlay=fail))
    assert set(ArchiveReader(tmp_path).find()[0].files) == {"frame", "map", "document"}
    assert archive.health()["archive.overlay_failed"] == 1


def test_of_pass_a_share_is_kept_that_follows_from_the_id_alone(tmp_path: Path) -> None:
    def kept(folder: str, **changes: object) -> set[str]:
        given = (bare(n, outcome="PASS", reason="") for n in range(400))
        return {entry.result_id for entry in stored(tmp_path / folder, *given, **changes).find()}

    quarter = kept("a", pass_share=0.25)
    assert 70 < len(quarter) < 130
    assert kept("b", pass_share=0.25) == quarter
    assert kept("c", pass_share=0.5) > quarter
    assert kept("d", pass_share=0.25, pass_seed=1) != quarter
    assert (kept("e", pass_share=0), len(kept("f", pass_share=1))) == (set(), 400)


def test_whoever_copies_frames_can_ask_first(tmp_path: Path) -> None:
    given = [bare(n, outcome="PASS" if n % 2 else "FAIL") for n in range(100)]
    archive = Archive(tmp_path, settings(pass_share=0.3))
    wanted = {one.result_id for one in given if archive.wants(one)}
    assert {entry.result_id for entry in stored(tmp_path, *given, pass_share=0.3).find()} == wanted
    assert 50 < len(wanted) < 80
    assert not Archive(tmp_path, settings(enabled=False)).wants(given[0])


def test_all_that_is_not_pass_and_all_of_a_clearance_is_kept(tmp_path: Path) -> None:
    given = [
        bare(1, outcome="FAIL"),
        bare(2),
        bare(3, outcome="PASS", clearance_id="c"),
        bare(4, kind="clearance", outcome="CLEAR"),
        bare(5, outcome="PASS"),
    ]
    found = stored(tmp_path, *given, pass_share=0).find(newest_first=False)
    assert [entry.result_id for entry in found] == ["result-1", "result-2", "result-3", "result-4"]


def test_the_same_result_twice_is_kept_once(tmp_path: Path) -> None:
    reader = stored(tmp_path, evidence(1), evidence(1), evidence(2))
    assert reader.count() == 2
    stored(tmp_path, evidence(1, outcome="PASS"))
    assert [entry.outcome for entry in reader.find()] == ["FAIL", "FAIL"]
    assert list(verify(reader)) == []


def test_switched_off_it_keeps_nothing_and_says_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "a", enabled=False) as archive:
        archive.submit(evidence(1))
        assert (archive.alarm, dict(archive.health())) == (None, {})
    assert not (tmp_path / "a").exists()


def test_health_says_what_there_is(tmp_path: Path) -> None:
    with running(tmp_path) as archive:
        archive.submit(evidence(1))
        until(lambda: archive.health()["archive.stored"] == 1)
    with running(tmp_path) as archive:
        until(lambda: archive.health().get("archive.results") == 1)
        health = archive.health()
    assert health["archive.bytes"] == sum((tmp_path / name).stat().st_size for name in files(tmp_path))
    assert (health["archive.writable"], health["archive.missing"], health["archive.waiting"]) == (True, 0, 0)
    assert health["archive.free_bytes"] > 0  # type: ignore[operator]


def test_when_too_much_comes_the_oldest_pass_gives_way_first(tmp_path: Path) -> None:
    archive = Archive(tmp_path, settings(queue_bytes=3 * 17_000), lambda: START)  # not entered: nothing is written yet
    for number, outcome in enumerate(("FAIL", "PASS", "PASS", "UNDECIDED", "FAIL")):
        archive.submit(bare(number, outcome=outcome))
    left = [one.evidence.result_id for one in archive._queue.take(0.0, 9)]
    assert left == ["result-0", "result-3", "result-4"]
    assert archive.health()["archive.missing"] == 2
    assert archive.alarm is not None
    assert archive.alarm.startswith("the evidence of 2 results is missing since the start, the last because more came than")


def test_clearances_are_given_up_last(tmp_path: Path) -> None:
    archive = Archive(tmp_path, settings(queue_bytes=2 * 17_000), lambda: START)
    for number in range(4):
        archive.submit(bare(number, kind="clearance", outcome="CLEAR"))
        archive.submit(bare(100 + number, outcome="FAIL"))
    assert [one.evidence.result_id for one in archive._queue.take(0.0, 9)] == ["result-2", "result-3"]
    assert archive.health()["archive.missing_clearance"] == 2


def test_one_result_larger_than_the_queue_is_missing_not_a_fault(tmp_path: Path) -> None:
    with running(tmp_path, queue_bytes=100_000) as archive:
        archive.submit(evidence(1, frame=frame(1, (400, 300))))
        archive.submit(evidence(2))
    assert (archive.health()["archive.missing"], archive.health()["archive.stored"]) == (1, 1)


def test_what_is_missing_is_listed_in_the_index(tmp_path: Path) -> None:
    with running(tmp_path) as archive:
        archive.submit(evidence(1, document={"score": float("nan")}, batch="B\n9", clearance_id="c"))
        archive.submit(evidence(2))
    (row,) = ArchiveReader(tmp_path).missing(batch="B\n9")
    assert (row["result_id"], row["clearance_id"], row["outcome"]) == ("result-1", "c", "FAIL")
    assert row["why"].startswith("it cannot be written (Out of range float values")


def test_a_folder_that_cannot_be_made_is_an_alarm_and_the_evidence_waits(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with running(tmp_path / "file" / "archive") as archive:
        archive.submit(evidence(1))
        until(lambda: archive.alarm is not None)
        assert archive.alarm is not None
        assert archive.alarm.startswith("evidence is not being kept: the folder is gone or cannot be made")
        assert archive.health()["archive.writable"] is False
        (tmp_path / "file").unlink()
        until(lambda: archive.health()["archive.stored"] == 1)
        assert (archive.alarm, archive.health()["archive.missing"]) == (None, 0)


def test_what_never_could_be_written_is_missing_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with running(tmp_path / "file" / "archive") as archive:
        archive.submit(evidence(1))
        archive.submit(evidence(2, kind="clearance"))
    health = archive.health()
    assert (health["archive.missing"], health["archive.missing_clearance"]) == (2, 1)
    archive.submit(evidence(3))
    assert archive.health()["archive.missing"] == 3


def test_a_folder_removed_under_it_is_noticed_and_begun_again(tmp_path: Path) -> None:
    with running(tmp_path / "archive") as archive:
        archive.submit(evidence(1))
        until(lambda: archive.health()["archive.stored"] == 1)
        (tmp_path / "archive").rename(tmp_path / "moved")
        archive.submit(evidence(2))
        until(lambda: archive.health()["archive.stored"] == 2)
    assert [entry.result_id for entry in ArchiveReader(tmp_path / "archive").find()] == ["result-2"]
    assert [entry.result_id for entry in ArchiveReader(tmp_path / "moved").find()] == ["result-1"]


def test_two_stations_never_write_one_archive(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        first.submit(evidence(1))
        until(lambda: first.health()["archive.stored"] == 1)
        with running(tmp_path) as second:
            second.submit(evidence(2))
            until(lambda: second.alarm is not None)
            assert "another process writes this archive: give each station an archive of its own" in (second.alarm or "")
        assert first.alarm is None
    assert ArchiveReader(tmp_path).count() == 1


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system to look at")
def test_an_archive_that_must_have_its_own_disk_never_fills_the_systems(tmp_path: Path) -> None:
    if os.stat(tmp_path).st_dev != os.stat("/").st_dev:
        pytest.skip("temporary files do not lie on the system's disk here")
    with running(tmp_path / "new" / "archive", own_disk=True) as archive:
        archive.submit(evidence(1))
        until(lambda: archive.alarm is not None)
        assert "lies on the system's own disk: mount its disk, or set archive.own_disk to false" in (archive.alarm or "")
    assert not (tmp_path / "new").exists()


def test_no_room_for_what_is_worth_less_never_costs_what_is_worth_more(tmp_path: Path) -> None:
    given = [evidence(n, clearance_id="c") for n in range(6)]
    stored(tmp_path, *given)
    size = sum((tmp_path / name).stat().st_size for name in files(tmp_path))
    with running(tmp_path, max_bytes=size + 300_000) as archive:
        for number in range(10, 60):
            archive.submit(evidence(number, outcome="FAIL", frame=frame(number, (120, 80))))
    reader = ArchiveReader(tmp_path)
    assert len(reader.find(clearance_id="c")) == 6
    assert {row["outcome"] for row in reader.purged()} == {"FAIL"}
    assert reader.get("result-59") is not None


def test_with_nothing_left_to_give_up_new_evidence_is_missing_and_an_alarm(tmp_path: Path) -> None:
    with running(tmp_path, max_bytes=40_000) as archive:
        for number in range(40):
            archive.submit(evidence(number, kind="clearance", outcome="CLEAR"))
    health = archive.health()
    assert (health["archive.purged"], health["archive.stored"] + health["archive.missing"]) == (0, 40)  # type: ignore[operator]
    assert health["archive.missing_clearance"] == health["archive.missing"] != 0
    assert "the last because the disk is full but for its floor" in (archive.alarm or "")


def test_a_full_floor_keeps_the_most_recent(tmp_path: Path) -> None:
    reader = stored(tmp_path, *(bare(n, outcome="PASS") for n in range(300)), max_bytes=100_000)
    left = [entry.result_id for entry in reader.find()]
    assert left == [f"result-{n}" for n in range(299, 299 - len(left), -1)]
    assert 20 < len(left) < 300
    assert len(left) + len(reader.purged()) == 300
    assert list(verify(reader)) == []


@pytest.mark.parametrize("count", [1, 7, 40])
def test_killed_at_any_moment_it_leaves_an_index_of_whole_files(tmp_path: Path, count: int) -> None:
    child = subprocess.Popen([sys.executable, str(CHILD), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(count):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait(30)
    child.stdout.close()
    reader = ArchiveReader(tmp_path)
    before = {entry.result_id for entry in reader.find()}
    assert all(finding.kind == "unknown" for finding in verify(reader))
    stored(tmp_path, evidence(1_000_000))
    assert list(verify(reader)) == []  # what was left over is taken in or swept
    after = {entry.result_id for entry in reader.find()}
    assert after >= before | {"result-1000000"}


def test_leaving_waits_for_what_is_being_written(tmp_path: Path) -> None:
    assert stored(tmp_path, *(evidence(n) for n in range(60))).count() == 60
    assert DRAIN_S > 5


def test_time_goes_on_by_the_clock_that_was_given(tmp_path: Path) -> None:
    with running(tmp_path, lambda: START + timedelta(days=1)) as archive:
        archive.submit(evidence(1, document={"x": object()}))
    assert ArchiveReader(tmp_path).missing()[0]["at_us"] - ArchiveReader(tmp_path).missing()[0]["decided_us"] == 86_399_000_000


def test_the_folder_follows_the_state_folder_unless_it_is_named() -> None:
    assert ArchiveSettings().folder(Path("/state")) == Path("/state/archive")
    assert ArchiveSettings(path="/evidence").folder(Path("/state")) == Path("/evidence")


def test_clearances_must_be_kept_the_longest() -> None:
    with pytest.raises(ValueError, match=r"clearance_days \(30\) must be the longest: write at least 365"):
        ArchiveSettings.model_validate({"keep": {"clearance_days": 30}})
