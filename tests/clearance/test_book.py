"""The station's memory of what it was asked: durable, bounded, and honest about damage."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from edge.clearance.book import Book
from edge.clearance.sequence import Sequence
from edge.errors import OutboxError
from tests.clearance.parts import START

ASKED = {"kind": "clearance", "batch": "B1"}


def answer(book: Book, number: int) -> None:
    book.begin(f"r{number}", ASKED, f"c{number}", START)
    book.decide(f"r{number}", number, {"outcome": "CLEAR", "number": number}, START + timedelta(seconds=number))
    book.announce(f"r{number}")


def test_what_is_written_is_there_in_the_next_life(tmp_path: Path) -> None:
    with Book(tmp_path / "b") as book:
        answer(book, 7)
        book.begin("r8", ASKED, "c8", START)
        book.keep_challenge("front", {"key": "k"})
    with Book(tmp_path / "b") as book:
        entry = book.find("r7")
        assert entry is not None
        assert (entry.state, entry.sequence, entry.result_id) == ("announced", 7, "c7")
        assert entry.body == {"outcome": "CLEAR", "number": 7}
        assert book.by_result("c7") == entry == book.newest()
        assert [open_.request_id for open_ in book.unsettled()] == ["r8"]
        assert (book.last_sequence(), book.last_time()) == (7, START + timedelta(seconds=7))
        assert book.challenge("front") == {"key": "k"}
        assert (book.find("r9"), book.by_result("c9"), book.challenge("back")) == (None, None, None)


def test_an_announced_answer_is_not_rewritten() -> None:
    with Book() as book:
        answer(book, 1)
        book.decide("r1", 2, {"outcome": "UNDECIDED"}, START)
        entry = book.find("r1")
        assert entry is not None
        assert entry.sequence == 1


def test_old_requests_are_forgotten_but_never_open_ones() -> None:
    with Book(keep=10) as book:
        book.begin("open", ASKED, "c0", START)
        for number in range(1, 31):
            answer(book, number)
        assert book.find("r1") is None
        assert book.find("r25") is not None
        assert [entry.request_id for entry in book.unsettled()] == ["open"]
        assert book.last_sequence() == 30


def test_an_id_cannot_be_begun_twice() -> None:
    with Book() as book:
        book.begin("r1", ASKED, "c1", START)
        with pytest.raises(OutboxError, match="free the disk"):
            book.begin("r1", ASKED, "c2", START)
        book.begin("r2", ASKED, "c2", START)  # the failed transaction left nothing behind


def test_a_damaged_file_is_set_aside_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "b"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 40)
    with Book(path) as book:
        answer(book, 1)
    (kept,) = tmp_path.glob("b.damaged-*")
    assert kept.read_bytes().startswith(b"no database")
    assert "clearances_damaged" in caplog.text


def test_a_foreign_or_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(OutboxError, match="another program or version"), Book(path):
        pass


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="free the disk"), Book(tmp_path / "absent" / "b"):
        pass
    with pytest.raises(OutboxError, match="is not open"):
        Book().find("r1")


def test_a_restored_sequence_does_not_go_back(tmp_path: Path) -> None:
    """Somebody put the state folder of yesterday back: the book knows better."""
    sequence = Sequence(tmp_path / "n.json")
    assert [sequence.next(), sequence.next(above=41), sequence.next()] == [1, 42, 43]
    assert sequence.last == 43
    for text in ('{"sequence": -1}', '{"sequence": true}', "[]", ""):
        (tmp_path / "n.json").write_text(text)
        with pytest.raises(OutboxError, match="sequence is lost"):
            _ = sequence.last
