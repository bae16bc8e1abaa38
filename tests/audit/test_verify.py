"""Whatever is done to a log is found, and the finding says which entry."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.audit import Anchor, AuditError, AuditLog, entries, verify
from edge.audit.entry import decode
from tests.audit.chains import FIRST, append, rewrite, written

LARGE = 10_000


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 entries in four files."""
    folder = tmp_path_factory.mktemp("audit")
    written(folder, 60, max_file_bytes=8000)
    assert len(list(folder.glob("audit-*.jsonl"))) == 4
    return folder


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The lines of a log of 10,000 entries."""
    from edge.audit.entry import NOTHING_BEFORE, Action, Entry, encode

    lines, previous = [], NOTHING_BEFORE
    made = next(iter(entries(written_one(tmp_path_factory.mktemp("one")))))
    for number in range(1, LARGE + 1):
        line, entry = encode(
            Entry(number, made.at, number, made.boot, "me", Action.MASK, "front", "", number, number + 1, previous)
        )
        lines.append(line)
        previous = entry.sha256
    return lines


def written_one(folder: Path) -> Path:
    written(folder, 1)
    return folder


def put(folder: Path, lines: list[bytes]) -> Path:
    (folder / FIRST).write_bytes(b"".join(lines))
    return folder


def kinds(folder: Path, anchor: Anchor | None = None) -> list[tuple[str, int]]:
    return [(finding.kind, finding.sequence) for finding in verify(folder, anchor).findings]


def test_a_large_log_is_sound_until_it_is_touched(tmp_path: Path, large: list[bytes]) -> None:
    found = verify(put(tmp_path, large))
    assert (found.entries, found.findings) == (LARGE, ())
    assert found.head is not None
    assert found.head.sequence == LARGE


def test_each_of_many_single_byte_changes_in_10000_entries_is_found_and_named(in_memory: Path, large: list[bytes]) -> None:
    draw = random.Random(5)
    for _ in range(12):
        at = draw.randrange(LARGE)
        line = bytearray(large[at])
        place = draw.randrange(len(line) - 1)
        line[place] ^= draw.randrange(1, 256)
        if line[place] == 0x0A:
            continue
        put(in_memory, [*large[:at], bytes(line), *large[at + 1 :]])
        assert kinds(in_memory) == [("changed", at + 1)]


def test_each_of_many_removals_and_swaps_in_10000_entries_is_found_and_named(in_memory: Path, large: list[bytes]) -> None:
    draw = random.Random(6)
    for _ in range(4):
        one, other = sorted(draw.sample(range(LARGE), 2))
        put(in_memory, [*large[:one], *large[one + 1 :]])
        assert kinds(in_memory) == ([("removed", one + 1)] if one < LARGE - 1 else [])
        lines = list(large)
        lines[one], lines[other] = lines[other], lines[one]
        found = kinds(put(in_memory, lines))
        assert ("moved", one + 1) in found
        assert all(one + 1 <= sequence <= other + 1 for _, sequence in found)


def test_every_single_byte_of_an_entry_counts(in_memory: Path) -> None:
    written(in_memory, 3)
    path = in_memory / FIRST
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    start = len(lines[0])
    for place in range(start, start + len(lines[1])):
        for value in {whole[place] ^ 1, whole[place] ^ 0x20, 0x0A, 0x00, 0xFF} - {whole[place]}:
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            found = verify(in_memory).findings
            assert found, (place, value)
            assert min(finding.sequence for finding in found) == 2, (place, value, found)


def test_every_value_of_a_byte_counts() -> None:
    """decode is what `every single byte` rests on: all 255 other values, at every place, of a line's seal and a part of it."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder), 1)
        line = (Path(folder) / FIRST).read_bytes()[:-1]
    assert decode(line) is not None
    for place in [0, 1, 2, *range(len(line) - 90, len(line))]:
        for value in set(range(256)) - {line[place]}:
            assert decode(line[:place] + bytes([value]) + line[place + 1 :]) is None


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_change_of_the_files_is_found_with_the_anchor(log: Path, data: st.DataObject) -> None:
    """A byte changed, put in or taken out, anywhere: and lines removed, repeated, moved, cut off, in any file."""
    head = AuditLog(log).head()
    work = log.parent / "work"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(log, work)
    path = data.draw(st.sampled_from(sorted(work.glob("audit-*.jsonl"))))
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    at = data.draw(st.integers(0, len(whole) - 1))
    one, other = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    byte = bytes([data.draw(st.integers(0, 255))])
    changed = data.draw(
        st.sampled_from(
            [
                whole[:at] + byte + whole[at + 1 :],
                whole[:at] + byte + whole[at:],
                whole[:at] + whole[at + 1 :],
                whole[:at],
                b"".join(lines[:one] + lines[one + 1 :]),
                b"".join([*lines[: one + 1], lines[other], *lines[one + 1 :]]),
                b"".join(lines[:one]),
                b"".join(lines[one:] + lines[:one]),
            ]
        )
    )
    path.write_bytes(changed)
    assert verify(work, head).sound == (changed == whole)


def test_removed_entries_are_named_one_by_one_and_many_as_a_range(tmp_path: Path, large: list[bytes]) -> None:
    assert kinds(put(tmp_path, large[:5] + large[7:20])) == [("removed", 6), ("removed", 7)]
    (finding,) = verify(put(tmp_path, large[:5] + large[5000:])).findings
    assert str(finding) == f"{FIRST}:6: entries 6 to 5000 are missing before this line"


def test_two_swapped_entries_are_said_to_be_reordered(tmp_path: Path, large: list[bytes]) -> None:
    (finding,) = verify(put(tmp_path, [large[0], large[2], large[1], *large[3:9]])).findings
    assert (finding.kind, finding.line, finding.problem) == ("moved", 3, "entry 2 stands after entry 3: they were reordered")


def test_a_repeated_entry_is_named(tmp_path: Path, large: list[bytes]) -> None:
    assert kinds(put(tmp_path, [*large[:4], large[1], *large[4:8]])) == [("moved", 2)]


def test_an_entry_written_anew_with_a_right_hash_breaks_the_chain(tmp_path: Path) -> None:
    written(tmp_path / "one", 5)
    written(tmp_path / "two", 5)
    forged = (tmp_path / "two" / FIRST).read_bytes().splitlines(keepends=True)[2]
    rewrite(tmp_path / "one" / FIRST, lambda lines: [*lines[:2], forged, *lines[3:]])
    assert kinds(tmp_path / "one") == [("unchained", 3), ("unchained", 4)]


def test_a_whole_file_removed_is_named(log: Path, tmp_path: Path) -> None:
    shutil.copytree(log, tmp_path / "work")
    (tmp_path / "work" / "audit-000002.jsonl").unlink()
    found = verify(tmp_path / "work").findings
    assert found[0].problem == "the log's file number 2 is missing before this one"
    assert {finding.kind for finding in found} == {"removed"}


def test_files_that_changed_places_are_found(log: Path, tmp_path: Path) -> None:
    shutil.copytree(log, tmp_path / "work")
    one, two = (tmp_path / "work" / f"audit-00000{n}.jsonl" for n in (1, 2))
    spare = tmp_path / "spare"
    for old, new in ((one, spare), (two, one), (spare, two)):
        old.rename(new)
    assert "moved" in {finding.kind for finding in verify(tmp_path / "work").findings}


def test_a_cut_tail_shows_against_an_anchor_only(tmp_path: Path) -> None:
    head = written(tmp_path, 9).head()
    rewrite(tmp_path / FIRST, lambda lines: lines[:-2])
    assert verify(tmp_path).sound
    (finding,) = verify(tmp_path, head).findings
    assert finding.kind == "anchor"
    assert finding.problem.endswith("but the log ends at entry 7: its end was cut off")


def test_a_log_rewritten_from_an_entry_on_shows_against_an_anchor(tmp_path: Path) -> None:
    head = written(tmp_path, 6).head()
    rewrite(tmp_path / FIRST, lambda lines: lines[:4])
    for number in (5, 6, 7):
        append(AuditLog(tmp_path), number)
    assert verify(tmp_path).sound
    (finding,) = verify(tmp_path, head).findings
    assert finding.problem.endswith("it is not there: the log was rewritten")


def test_an_older_anchor_holds_for_ever(tmp_path: Path) -> None:
    log = written(tmp_path, 4)
    known = log.head()
    for number in range(5, 9):
        append(log, number)
    assert verify(tmp_path, known).sound


def test_an_anchor_reads_as_it_is_written() -> None:
    anchor = Anchor(17, "0123456789abcdef" * 4)
    assert Anchor.parse(str(anchor)) == anchor


@pytest.mark.parametrize("text", ["", "17", "0:" + "a" * 64, "17:" + "A" * 64, "17:" + "a" * 63, "x:" + "a" * 64, "1" * 99])
def test_what_is_no_anchor_is_refused(text: str) -> None:
    with pytest.raises(AuditError, match="is no anchor: write it as health shows it"):
        Anchor.parse(text)


def test_a_folder_without_a_log_is_an_error_and_not_a_sound_log(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="holds no audit log: name the folder"):
        verify(tmp_path)
    with pytest.raises(AuditError, match="No such file"):
        verify(tmp_path / "nowhere")


def test_it_can_be_verified_while_it_is_written(tmp_path: Path) -> None:
    log = written(tmp_path, 3)
    with (tmp_path / FIRST).open("rb"):
        for number in range(4, 40):
            append(log, number)
            assert verify(tmp_path, log.head()).entries == number


def test_a_copy_on_a_read_only_folder_verifies_and_is_not_written(log: Path, tmp_path: Path) -> None:
    shutil.copytree(log, tmp_path / "copy")
    (tmp_path / "copy" / "audit.lock").unlink()
    (tmp_path / "copy").chmod(0o555)
    assert verify(tmp_path / "copy").sound
    assert "audit.lock" not in os.listdir(tmp_path / "copy")
    (tmp_path / "copy").chmod(0o755)


@given(st.binary(max_size=300))
def test_no_bytes_are_an_entry_by_chance(data: bytes) -> None:
    assert decode(data) is None


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"sequence":1', b"{" + b"[" * 3000])
def test_a_right_hash_over_something_else_is_no_entry(body: bytes) -> None:
    import hashlib

    sealed = body + b',"sha256":"' + hashlib.sha256(body + b"}").hexdigest().encode() + b'"}'
    assert decode(sealed) is None
