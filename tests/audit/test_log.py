from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest

from edge.audit import Action, Anchor, AuditError, AuditLog, entries, verify
from edge.audit import files as audit_files
from edge.settings.audit import AuditSettings
from tests.audit.chains import FIRST, append, rewrite, written

CHILD = Path(__file__).with_name("appending_child.py")


def test_an_entry_says_who_what_why_when_before_and_after(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 22, 9, 30, tzinfo=timezone(timedelta(hours=2)))
    log = AuditLog(tmp_path / "audit", now=lambda: moment)
    made = log.append(Action.MASK, who="B. Weiß", subject="front/lid", why="glare", before=None, after={"enabled": False})
    (line,) = (tmp_path / "audit" / FIRST).read_text("ascii").splitlines()
    document = json.loads(line)
    assert (document["sequence"], document["at"]) == (1, "2026-11-22T07:30:00.000000Z")
    assert (document["who"], document["action"], document["subject"], document["why"]) == (
        "B. Weiß",
        "mask",
        "front/lid",
        "glare",
    )
    assert (document["before"], document["after"]) == (None, {"enabled": False})
    assert document["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (read,) = entries(tmp_path / "audit")
    assert read == made
    assert log.head() == made.anchor


def test_each_entry_carries_the_hash_of_the_one_before_and_a_rising_clock(tmp_path: Path) -> None:
    written(tmp_path, 20)
    found = list(entries(tmp_path))
    assert [entry.sequence for entry in found] == list(range(1, 21))
    assert [entry.previous for entry in found[1:]] == [entry.sha256 for entry in found[:-1]]
    assert all(later.monotonic_ns > earlier.monotonic_ns for earlier, later in pairwise(found))


def test_it_goes_on_where_another_process_stopped(tmp_path: Path) -> None:
    written(tmp_path, 3)
    assert append(AuditLog(tmp_path), 4).sequence == 4
    assert verify(tmp_path).sound


def test_several_processes_and_threads_append_to_one_chain(tmp_path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, str(CHILD), str(tmp_path), name, "40", "4000"], stdout=subprocess.DEVNULL)
        for name in ("station", "calibrate")
    ]
    log = AuditLog(tmp_path, AuditSettings(max_file_bytes=4000))
    threads = [threading.Thread(target=lambda: [append(log, n) for n in range(20)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.wait(60) for child in children] == [0, 0]
    found = verify(tmp_path)
    assert (found.entries, found.findings) == (120, ())
    assert found.files > 5
    assert {entry.who for entry in entries(tmp_path)} == {"station", "calibrate", "A. Müller"}


def test_rotation_keeps_the_chain(tmp_path: Path) -> None:
    log = written(tmp_path, 30, max_file_bytes=2000)
    names = sorted(path.name for path in tmp_path.glob("audit-*"))
    assert names == [f"audit-{n:06d}.jsonl" for n in range(1, len(names) + 1)]
    assert len(names) >= 5
    for earlier, later in pairwise(names):
        last = json.loads((tmp_path / earlier).read_text().splitlines()[-1])
        first = json.loads((tmp_path / later).read_text().splitlines()[0])
        assert (first["previous"], first["sequence"]) == (last["sha256"], last["sequence"] + 1)
        assert 2000 <= (tmp_path / earlier).stat().st_size < 2000 + 1000
    assert verify(tmp_path, log.head()).sound


def test_a_file_begun_and_left_empty_by_a_crash_is_used(tmp_path: Path) -> None:
    written(tmp_path, 3)
    (tmp_path / "audit-000002.jsonl").touch()
    assert AuditLog(tmp_path).head() == list(entries(tmp_path))[-1].anchor
    entry = append(AuditLog(tmp_path), 4)
    assert entry.sequence == 4
    assert (tmp_path / "audit-000002.jsonl").stat().st_size > 0
    assert verify(tmp_path).sound


def test_a_write_torn_at_any_byte_is_kept_aside_and_recorded(in_memory: Path) -> None:
    log = written(in_memory, 4)
    path = in_memory / FIRST
    whole = path.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    known = list(entries(in_memory))[2].anchor
    for cut in range(1, last):
        for leftover in in_memory.glob("*.torn-*"):
            leftover.unlink()
        path.write_bytes(whole[: len(whole) - cut])
        torn = verify(in_memory, known)
        assert [finding.kind for finding in torn.findings] == ["torn"]
        assert torn.head == known
        log = AuditLog(in_memory)
        assert log.head() == known
        assert append(log, 5).sequence == 5
        mended = verify(in_memory, known)
        assert (mended.entries, mended.findings) == (5, ())
        (repair,) = mended.repairs
        assert (repair.sequence, repair.after["torn_bytes"]) == (4, last - cut)
        assert (in_memory / repair.after["kept_as"]).read_bytes() == whole[len(whole) - last : len(whole) - cut]


def test_zeros_after_a_power_cut_are_a_torn_end(tmp_path: Path) -> None:
    written(tmp_path, 2)
    with (tmp_path / FIRST).open("ab") as file:
        file.write(bytes(300_000))
    assert [finding.kind for finding in verify(tmp_path).findings] == ["torn"]
    append(AuditLog(tmp_path), 3)
    assert verify(tmp_path).sound


def test_a_second_torn_end_is_kept_beside_the_first(tmp_path: Path) -> None:
    written(tmp_path, 2)
    for number in (1, 2):
        with (tmp_path / FIRST).open("ab") as file:
            file.write(b"{" * number)
        append(AuditLog(tmp_path), number)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.torn-*")} == {
        "audit-000001.torn-1": b"{", "audit-000001.torn-2": b"{{",
    }  # fmt: skip
    assert verify(tmp_path).sound


@pytest.mark.parametrize("after_lines", [0, 1, 3, 10])
def test_a_process_killed_while_writing_leaves_a_log_that_goes_on(tmp_path: Path, after_lines: int) -> None:
    arguments = [sys.executable, str(CHILD), str(tmp_path), "killed", "100000", "3000"]
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [child.stdout.readline() for _ in range(after_lines + 1)]
    child.send_signal(signal.SIGKILL)
    told += child.stdout.readlines()
    child.wait(30)
    child.stdout.close()
    known = Anchor.parse([line for line in told if line.endswith("\n")][-1].strip())
    log = AuditLog(tmp_path)
    append(log, 1)
    found = verify(tmp_path, known)  # what append returned from is there for ever
    assert found.sound, found.findings
    assert found.entries >= known.sequence + 1


def test_a_damaged_last_entry_is_pinned_not_passed_over(tmp_path: Path) -> None:
    written(tmp_path, 5)
    rewrite(tmp_path / FIRST, lambda lines: [*lines[:4], lines[4].replace(b"dust", b"rust")])
    assert append(AuditLog(tmp_path), 6).sequence == 7
    found = verify(tmp_path)
    assert [(finding.kind, finding.sequence) for finding in found.findings] == [("changed", 5)]
    assert found.repairs[0].after["damaged_entries"] == 1


def test_an_end_damaged_for_longer_than_one_look_back_is_found_too(tmp_path: Path) -> None:
    written(tmp_path, 60)
    rewrite(tmp_path / FIRST, lambda lines: [*lines[:10], *(line.replace(b"dust", b"rust") for line in lines[10:])])
    assert AuditLog(tmp_path).head() == list(entries(tmp_path))[-1].anchor
    assert append(AuditLog(tmp_path), 61).sequence == 62
    found = verify(tmp_path)
    assert [(finding.kind, finding.sequence) for finding in found.findings] == [("changed", n) for n in range(11, 61)]
    assert found.repairs[0].after["damaged_entries"] == 50


def test_a_log_that_lost_its_end_while_the_station_ran_says_so_itself(tmp_path: Path) -> None:
    log = written(tmp_path, 6)
    rewrite(tmp_path / FIRST, lambda lines: lines[:4])
    append(log, 7)
    assert [finding.kind for finding in verify(tmp_path).findings] == ["went_back"]
    (tmp_path / FIRST).unlink()
    append(log, 8)
    append(log, 9)
    assert [finding.kind for finding in verify(tmp_path).findings] == ["went_back"]
    assert [entry.action for entry in entries(tmp_path)] == [Action.REPAIR, Action.THRESHOLD, Action.THRESHOLD]


def test_a_log_of_nothing_but_damage_is_refused(tmp_path: Path) -> None:
    (tmp_path / FIRST).write_bytes(b"not a log\n" * 3)
    with pytest.raises(AuditError, match="all damaged: keep the folder as evidence"):
        append(AuditLog(tmp_path), 1)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"who": "  "}, "nobody is named: say who"),
        ({"after": float("nan")}, "no JSON"),
        ({"after": object()}, "no JSON"),
        ({"before": "x" * 70_000}, "takes 7[0-9]+ bytes: at most 65536"),
    ],
)
def test_what_cannot_be_recorded_is_refused_and_nothing_is_written(
    tmp_path: Path, given: dict[str, object], problem: str
) -> None:
    log = written(tmp_path, 1)
    what: dict[str, object] = {"who": "me", "subject": "front", **given}
    with pytest.raises(AuditError, match=problem):
        log.append(Action.MASK, **what)  # type: ignore[arg-type]
    assert verify(tmp_path).entries == 1


@pytest.mark.parametrize("text", ["a\nb\x00\u2028\ud800", "x" * 4096, "…/../'\"", "\u202e"])
def test_any_text_stays_on_one_line_and_comes_back(tmp_path: Path, text: str) -> None:
    log = AuditLog(tmp_path)
    log.append(Action.CLEARANCE, who=f"me {text}", subject=text, why=text, before=text, after={text: [text]})
    assert (tmp_path / FIRST).read_bytes().count(b"\n") == 1
    (entry,) = entries(tmp_path)
    assert (entry.who, entry.subject, entry.why, entry.before, entry.after) == (f"me {text}", text, text, text, {text: [text]})


def test_a_disk_that_refuses_leaves_the_log_whole(tmp_path: Path) -> None:
    log = written(tmp_path, 3)
    size = (tmp_path / FIRST).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, before[1]))  # the kernel writes 100 bytes, then refuses
    try:
        with pytest.raises(AuditError, match=r"cannot be written .*nothing was changed"):
            append(log, 4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / FIRST).stat().st_size == size
    assert append(log, 4).sequence == 4
    assert verify(tmp_path).sound


def test_a_sync_that_fails_is_no_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = written(tmp_path, 2)

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(audit_files.os, "fdatasync", fail)
    with pytest.raises(AuditError, match="Input/output error"):
        append(log, 3)
    monkeypatch.undo()
    assert verify(tmp_path).entries == 2
    assert append(log, 3).sequence == 3


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditError, match="cannot be written"):
        append(AuditLog(tmp_path / "file" / "audit"), 1)


def test_waiting_for_another_writer_ends(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, AuditSettings(lock_timeout_s=0.05))
    with (
        audit_files.locked(tmp_path, 1.0),
        pytest.raises(AuditError, match=r"writing for more than 0\.05 s: find what holds it"),
    ):
        append(log, 1)
    assert append(log, 1).sequence == 1


def test_there_is_no_head_before_the_first_entry(tmp_path: Path) -> None:
    assert AuditLog(tmp_path / "nothing").head() is None
    assert AuditLog(tmp_path).head() is None


def test_the_folder_follows_the_state_folder_unless_it_is_named() -> None:
    assert AuditSettings().folder(Path("/state")) == Path("/state/audit")
    assert AuditSettings(path="/elsewhere").folder(Path("/state")) == Path("/elsewhere")


def test_a_log_is_proven_writable_without_a_trace(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit")
    log.prove()
    assert log.head() is None
    log.append(Action.START, who="A", subject="s")
    before = {path.name: path.read_bytes() for path in (tmp_path / "audit").iterdir()}
    log.prove()
    assert {path.name: path.read_bytes() for path in (tmp_path / "audit").iterdir()} == before


def test_a_folder_that_is_a_file_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("")
    with pytest.raises(AuditError, match="cannot be written"):
        AuditLog(tmp_path / "audit").prove()


def test_a_full_disk_is_found_before_an_entry_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path / "audit")
    log.append(Action.START, who="A", subject="s")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.audit.files.os.pwrite", full)
    with pytest.raises(AuditError, match="No space left"):
        log.prove()
    monkeypatch.undo()
    assert sorted(path.name for path in (tmp_path / "audit").iterdir()) == ["audit-000001.jsonl", "audit.lock"]


def test_a_last_file_that_cannot_be_opened_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path / "audit")
    log.append(Action.START, who="A", subject="s")
    (path,) = (tmp_path / "audit").glob("*.jsonl")
    path.rename(tmp_path / "aside")
    path.mkdir()
    with pytest.raises(AuditError, match="cannot be written"):
        log.prove()
