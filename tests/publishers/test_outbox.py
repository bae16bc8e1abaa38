from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import OutboxError, StationBusy
from edge.publishers.base import Record, RecordKind
from edge.publishers.outbox import Outbox
from edge.publishers.payloads import clearance_record, image_records, verdict_record
from edge.publishers.station_payloads import health_record
from edge.settings.mqtt import OutboxSettings
from tests.publishers.samples import NOW, clearance, png, verdict

LIMITS = OutboxSettings(busy_timeout_s=0.05)
FILE = "outbox.sqlite3"


def ids(outbox: Outbox) -> list[str]:
    return [row.result_id for row in outbox.pending(10_000)]


def image(number: int, data: bytes = b"\xff\xd8\xff" + bytes(1000)) -> Record:
    return Record(RecordKind.IMAGE, "view/front/image/frame", {}, result_id=f"front-{number:08d}", blob=data)


def test_keeps_what_was_put_over_a_restart(tmp_path: Path) -> None:
    one = verdict(1)
    with Outbox(tmp_path / FILE, LIMITS) as outbox:
        outbox.put([verdict_record(one), *image_records(one, {"overlay": png()})], "root")
        outbox.put([clearance_record(clearance())], "root")
    with Outbox(tmp_path / FILE, LIMITS) as outbox:
        result, cleared, overlay = outbox.pending(10)
        assert (result.topic, result.kind, result.result_id) == ("root/view/front/result", RecordKind.VERDICT, one.result_id)
        assert cleared.topic == "root/clearance/result"
        assert (overlay.payload, overlay.content_type) == (png().data, "image/png")
        assert overlay.properties == {"result_id": one.result_id, "view": "front", "kind": "overlay"}
        assert (outbox.depth.results, outbox.depth.images, outbox.depth.image_bytes) == (2, 1, len(png().data))
        body = outbox.result(one.result_id)
        assert body is not None
        assert body["outcome"] == "FAIL"
        assert outbox.result("unknown") is None


def test_what_was_delivered_is_gone_and_ids_are_never_used_twice(tmp_path: Path) -> None:
    with Outbox(tmp_path / FILE, LIMITS) as outbox:
        outbox.put([verdict_record(verdict(1)), verdict_record(verdict(2))])
        first, second = outbox.pending(10)
        outbox.delivered([first.id, second.id])
        outbox.delivered([first.id, 12345])
        outbox.put([verdict_record(verdict(3))])
        assert outbox.pending(10)[0].id > second.id
        assert outbox.depth.rows == 1
        assert outbox.counters() == {}


def test_skips_what_is_in_flight_and_topics_that_are_held_back(tmp_path: Path) -> None:
    with Outbox(tmp_path / FILE, LIMITS) as outbox:
        outbox.put([verdict_record(verdict(number, view)) for number in range(3) for view in ("front", "top")])
        rows = outbox.pending(10)
        left = outbox.pending(2, [rows[0].id, rows[1].id], ["view/top/result"])
        assert [row.result_id for row in left] == ["front-00000001", "front-00000002"]


def test_results_come_before_images(tmp_path: Path) -> None:
    with Outbox(tmp_path / FILE, LIMITS) as outbox:
        outbox.put([image(1), verdict_record(verdict(1))])
        outbox.put([image(2), clearance_record(clearance())])
        kinds = [row.kind for row in outbox.pending(10)]
        assert kinds == [RecordKind.VERDICT, RecordKind.CLEARANCE, RecordKind.IMAGE, RecordKind.IMAGE]
        assert [row.kind for row in outbox.pending(10, images=False)] == kinds[:2]


def test_present_things_are_not_kept(tmp_path: Path) -> None:
    with Outbox(tmp_path / FILE, LIMITS) as outbox, pytest.raises(OutboxError, match="health"):
        outbox.put([health_record({}, NOW, 0.0)])


def test_a_result_needs_a_name(tmp_path: Path) -> None:
    with Outbox(tmp_path / FILE, LIMITS) as outbox, pytest.raises(OutboxError, match="result_id"):
        outbox.put([verdict_record(verdict(1, result_id=""))])


def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from edge.publishers.outbox import Outbox;"
        "from edge.settings.mqtt import OutboxSettings; o = Outbox(Path(sys.argv[1]), OutboxSettings()).__enter__();"
        "print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / FILE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        with pytest.raises(StationBusy, match=f"process {child.pid}"):
            Outbox(tmp_path / FILE, LIMITS).__enter__()
        child.kill()
        child.wait()
    with Outbox(tmp_path / FILE, LIMITS) as outbox:
        outbox.put([verdict_record(verdict(1))])


def test_locked_by_another_program(tmp_path: Path) -> None:
    with Outbox(tmp_path / FILE, LIMITS) as outbox:
        outbox.put([verdict_record(verdict(1))])
        browser = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        browser.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutboxError, match="locked by another program"):
            outbox.put([verdict_record(verdict(2))])
        with pytest.raises(OutboxError, match="locked by another program"):
            outbox.delivered([outbox.pending(1)[0].id])
        browser.execute("ROLLBACK")
        browser.close()
        outbox.put([verdict_record(verdict(3))])
        assert ids(outbox) == ["front-00000001", "front-00000003"]
        assert outbox.depth.rows == 2


def no_database(file: Path) -> None:
    file.write_bytes(b"this is no database" * 1000)


def damaged_header(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[16:100] = os.urandom(84)
    file.write_bytes(data)


def damaged_pages(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    file.write_bytes(data)


def cut_short(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2 // 4096 * 4096])


@pytest.mark.parametrize("damage", [no_database, damaged_header, damaged_pages, cut_short])
def test_a_damaged_file_is_set_aside(tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture) -> None:
    with Outbox(tmp_path / FILE, LIMITS) as outbox:
        outbox.put([verdict_record(verdict(number)) for number in range(50)])
    damage(tmp_path / FILE)
    damaged = (tmp_path / FILE).read_bytes()
    with Outbox(tmp_path / FILE, LIMITS) as outbox:
        assert ids(outbox) == []
        assert outbox.counters() == {"damaged_files": 1}
        outbox.put([verdict_record(verdict(1))])
    (kept,) = tmp_path.glob(f"{FILE}.damaged-*[0-9Z]")
    assert kept.read_bytes() == damaged
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]
    assert kept.name in caplog.text


def test_damage_while_running_is_an_outbox_error(tmp_path: Path) -> None:
    with Outbox(tmp_path / FILE, LIMITS) as outbox:
        outbox.put([verdict_record(verdict(number)) for number in range(200)])
        outbox.maintain()
        with (tmp_path / FILE).open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(4096)
            file.write(b"\xa5" * (size - 4096))

        def use() -> None:
            for number in range(200, 300):  # the first may still be served from SQLite's cache
                outbox.put([verdict_record(verdict(number))])
                outbox.pending(1000)

        with pytest.raises(OutboxError, match="is damaged"):
            use()
    with Outbox(tmp_path / FILE, LIMITS) as outbox:
        assert outbox.counters() == {"damaged_files": 1}


@pytest.mark.parametrize(
    ("statement", "expected"), [("PRAGMA user_version = 99", "schema 99"), ("PRAGMA application_id = 1", "another")]
)
def test_a_foreign_or_newer_file_is_refused_and_left_alone(tmp_path: Path, statement: str, expected: str) -> None:
    with Outbox(tmp_path / FILE, LIMITS) as outbox:
        outbox.put([verdict_record(verdict(1))])
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute(statement)
    connection.close()
    with pytest.raises(OutboxError, match=expected):
        Outbox(tmp_path / FILE, LIMITS).__enter__()
    assert not list(tmp_path.glob("*.damaged*"))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxError, match="cannot be opened"):
        Outbox(tmp_path / "file" / FILE, LIMITS).__enter__()


_FULL_DISK = """
import sys
from pathlib import Path
from edge.errors import OutboxError
from edge.publishers.outbox import Outbox
from edge.publishers.payloads import verdict_record
from edge.settings.mqtt import OutboxSettings
from edge.types import Judgement, Outcome
from tests.publishers.samples import region, verdict
from tests.publishers.test_outbox import image, ids

LARGE = Judgement(Outcome.FAIL, None, 1.0, 1.0, 1.0, tuple(region(float(peak)) for peak in range(90)))

with Outbox(Path(sys.argv[1]) / "outbox.sqlite3", OutboxSettings()) as outbox:
    images = 0
    try:
        for images in range(10_000):
            outbox.put([image(images, bytes(200_000))])
    except OutboxError as error:
        assert "disk is full" in str(error), error
    assert 20 < images < 10_000, images
    recorded = refused = 0
    for number in range(40_000):
        try:
            outbox.put([verdict_record(verdict(number, judgement=LARGE)), image(number, bytes(200_000))])
            recorded += 1
        except OutboxError as error:
            assert "disk is full" in str(error), error
            refused += 1
            if refused > 3:
                break
    assert recorded > 400, recorded
    assert refused > 3
    rows = outbox.pending(100_000)
    results = [row for row in rows if row.kind.value == "verdict"]
    assert len(results) == recorded == outbox.depth.results, (len(results), recorded, outbox.depth)
    outbox.delivered([row.id for row in rows][: len(rows) // 2])
    outbox.maintain()
    outbox.put([verdict_record(verdict(50_000))])
    assert outbox.counters()["dropped_image"] >= images
    assert "dropped_verdict" not in outbox.counters()
with Outbox(Path(sys.argv[1]) / "outbox.sqlite3", OutboxSettings()) as outbox:
    outbox.put([verdict_record(verdict(60_000)), image(1, bytes(100_000))])
    assert outbox.pending(100_000)[-1].kind.value == "image"
print("held", images, recorded)
"""


def test_on_a_full_disk_images_give_way_to_results(tmp_path: Path) -> None:
    """On a real file system of 40 MB, made in a namespace of its own."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed: apt-get install util-linux")
    mounted = [unshare, "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f'mount -t tmpfs -o size=40m tmpfs "{tmp_path}"'
    if subprocess.run([*mounted, mount], capture_output=True, check=False).returncode:
        mounted = [unshare, "--mount", "sh", "-c"]
    if subprocess.run([*mounted, mount], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small file system (unshare --mount)")
    script = [sys.executable, "-c", _FULL_DISK, str(tmp_path)]
    run = subprocess.run([*mounted, mount + ' && exec "$@"', "sh", *script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("held")


def test_history_is_shortened_but_never_what_still_waits(tmp_path: Path) -> None:
    now = [1_000_000.0]
    limits = OutboxSettings(keep_results=5, keep_results_h=1.0)
    with Outbox(tmp_path / FILE, limits, lambda: now[0]) as outbox:
        outbox.put([verdict_record(verdict(number)) for number in range(20)])
        outbox.delivered([row.id for row in outbox.pending(10)])
        outbox.maintain()
        assert [number for number in range(20) if outbox.result(verdict(number).result_id)] == list(range(10, 20))
        outbox.delivered([row.id for row in outbox.pending(10)])
        outbox.maintain()
        assert [number for number in range(20) if outbox.result(verdict(number).result_id)] == list(range(15, 20))
        now[0] += 3601.0
        outbox.maintain()
        assert not [number for number in range(20) if outbox.result(verdict(number).result_id)]


def test_old_images_go_old_results_stay(tmp_path: Path) -> None:
    now = [1_000_000.0]
    with Outbox(tmp_path / FILE, OutboxSettings(max_age_h=1.0), lambda: now[0]) as outbox:
        outbox.put([verdict_record(verdict(1)), image(1)])
        now[0] += 3000.0
        outbox.put([image(2)])
        now[0] += 3000.0
        outbox.maintain()
        assert ids(outbox) == ["front-00000001", "front-00000002"]
        assert outbox.counters() == {"dropped_image": 1}
        now[0] += 1e9
        outbox.maintain()
        assert ids(outbox) == ["front-00000001"]


def test_dropped_results_are_said_loudly_and_counted_for_ever(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    limits = OutboxSettings(max_rows=3)
    with Outbox(tmp_path / FILE, limits) as outbox:
        for number in range(10):
            outbox.put([verdict_record(verdict(number))])
        assert ids(outbox) == [verdict(number).result_id for number in (7, 8, 9)]
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]
    with Outbox(tmp_path / FILE, limits) as outbox:
        assert outbox.counters() == {"dropped_verdict": 7}


def test_the_wal_does_not_grow_for_ever(tmp_path: Path) -> None:
    with Outbox(tmp_path / FILE, LIMITS) as outbox:
        sizes = []
        for _ in range(10):
            for number in range(20):
                outbox.put([image(number, bytes(50_000))])
            outbox.delivered([row.id for row in outbox.pending(100)])
            outbox.maintain()
            sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
        assert max(sizes[3:]) <= sizes[2]
