"""The memory of commands: what acts is on the disk before it is done, and a client's time only grows."""

import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.commands.ledger import _READS_REMEMBERED, Known, Ledger
from edge.commands.refusals import Refused

NOW = datetime(2026, 11, 22, 4, 5, 6, 789_123, tzinfo=timezone.utc)


def test_what_acts_is_known_after_a_restart_and_what_reads_is_not(tmp_path: Path) -> None:
    path = tmp_path / "commands.sqlite3"
    with Ledger(path, 100) as ledger:
        ledger.begin("plc", "a", "f1", NOW, acts=True)
        ledger.begin("plc", "b", "f2", NOW, acts=False)
        ledger.finish("plc", "a", {"status": "ok"})
        ledger.finish("plc", "b", {"status": "ok"})
        ledger.begin("plc", "c", "f3", NOW, acts=True)
        assert ledger.find("plc", "b") == Known("f2", {"status": "ok"})
        assert ledger.find("mes", "a") is None
    with Ledger(path, 100) as ledger:
        assert ledger.find("plc", "a") == Known("f1", {"status": "ok"})
        assert ledger.find("plc", "b") is None
        assert ledger.find("plc", "c") == Known("f3", None)
        assert ledger.latest("plc") == NOW


def test_a_clients_time_never_goes_back(tmp_path: Path) -> None:
    with Ledger(tmp_path / "c", 100) as ledger:
        assert ledger.latest("plc") is None
        ledger.begin("plc", "a", "f", NOW, acts=True)
        ledger.begin("plc", "b", "f", NOW - timedelta(days=1), acts=True)
        ledger.begin("plc", "c", "f", NOW - timedelta(days=1), acts=False)
        assert ledger.latest("plc") == NOW
        ledger.begin("plc", "d", "f", NOW + timedelta(seconds=1), acts=False)
        assert ledger.latest("plc") == NOW + timedelta(seconds=1)
        assert ledger.latest("mes") is None


def test_what_was_not_done_can_be_asked_again(tmp_path: Path) -> None:
    with Ledger(None, 100) as ledger:
        for acts in (True, False):
            ledger.begin("plc", "a", "f", NOW, acts=acts)
            ledger.forget("plc", "a")
            assert ledger.find("plc", "a") is None


def test_both_memories_are_bounded(tmp_path: Path) -> None:
    with Ledger(tmp_path / "c", 100) as ledger:
        for number in range(300):
            ledger.begin("plc", f"act-{number}", "f", NOW, acts=True)
            ledger.begin(f"client-{number}", "read", "f", NOW, acts=False)
        assert ledger.find("plc", "act-199") is None
        assert ledger.find("plc", "act-200") is not None
        assert len(ledger._reads) == len(ledger._latest) == _READS_REMEMBERED


def test_a_file_that_cannot_be_used_refuses_by_name(tmp_path: Path) -> None:
    path = tmp_path / "commands.sqlite3"
    with pytest.raises(Refused, match="not open"):
        Ledger(path, 100).find("plc", "a")
    path.write_bytes(b"this is no database at all, but long enough to look at" * 20)
    with pytest.raises(Refused, match=r"commands\.sqlite3"), Ledger(path, 100):
        pass
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA application_id = 7")
    other.close()
    with pytest.raises(Refused, match="another program"), Ledger(path, 100):
        pass


def test_a_locked_file_refuses_the_command(tmp_path: Path) -> None:
    path = tmp_path / "commands.sqlite3"
    with Ledger(path, 100) as ledger:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(Refused) as refused:
            ledger.begin("plc", "a", "f", NOW, acts=True)
        assert refused.value.code == "not_recorded"
        holder.execute("ROLLBACK")
        holder.close()
        ledger.begin("plc", "a", "f", NOW, acts=True)
        assert ledger.find("plc", "a") is not None
