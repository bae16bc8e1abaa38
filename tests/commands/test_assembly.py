"""Commands of a station that has less than all, and what they say of themselves."""

from __future__ import annotations

from pathlib import Path

from edge.audit import AuditLog
from edge.commands import Commands, Looking, Parts
from edge.commands.assembly import LEDGER, MEMORY_ALARM
from edge.commands.names import NAME_ALARM
from edge.publishers.memory import MemoryPublisher
from edge.settings.mqtt import MemorySettings
from tests.commands.parts import ROOT, Asker, message, running, settings
from tests.loop.test_report import Told

PERSON = {"who": "Kim", "why": "because"}


def parts(tmp_path: Path) -> Parts:
    return Parts(AuditLog(tmp_path / "audit").append, Looking(None, list, lambda: "aspirin"))  # type: ignore[arg-type]


def test_what_a_station_has_not_is_refused_by_name(tmp_path: Path) -> None:
    with MemoryPublisher(MemorySettings(kind="memory")) as publisher:
        commands = Commands(publisher, ROOT, tmp_path, settings())
        asker = Asker(publisher)
        with commands.serving(parts(tmp_path)):
            assert asker.ask("state")["result"]["product"] == "aspirin"
            for name, more in (
                ("clearance", {"batch": "B", "product": "p"}),
                ("recipe", {"product": "p", **PERSON}),
                ("mask", {"view": "front", "mask": "hose", "enabled": True, **PERSON}),
                ("archive", {}),
            ):
                assert asker.ask(name, **more)["error"]["message"] == f"this station has no {name}"


def test_switched_off_nothing_is_done(tmp_path: Path) -> None:
    with MemoryPublisher(MemorySettings(kind="memory")) as publisher:
        commands = Commands(publisher, ROOT, tmp_path, settings(enabled=False))
        asker = Asker(publisher)
        with commands.serving(parts(tmp_path)):
            assert asker.ask("state")["error"]["code"] == "refused"


def test_a_publisher_that_hears_nothing_has_no_commands(tmp_path: Path) -> None:
    with Told() as publisher:
        deaf = Deaf(publisher)
        commands = Commands(deaf, ROOT, tmp_path, settings())
        with commands.serving(parts(tmp_path)):
            assert list(commands.values()) == ["station.instance"]
            assert commands.alarms() == {NAME_ALARM: None, MEMORY_ALARM: None}


class Deaf:
    """A Publisher that is no Channel."""

    def __init__(self, inner: MemoryPublisher) -> None:
        self.publish, self.health = inner.publish, inner.health

    def __enter__(self) -> Deaf:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def test_without_its_memory_no_command_is_done_and_the_station_runs_on(recipes: Path, tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_bytes(b"this is no database" * 100)
    with running(recipes, tmp_path) as rig:
        reply = rig.ask("mask", view="front", mask="hose", enabled=True, **PERSON)
        assert reply["error"]["code"] == "not_recorded"
        assert "commands.sqlite3" in str(rig.commands.alarms()[MEMORY_ALARM])
        assert rig.station.ask("front", 1, 5, None)[0].result(20).outcome.value == "PASS"
        assert not rig.audited()


def test_a_memory_that_fills_the_disk_later_refuses_too(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        rig.commands._desk._ledger.__exit__(None, None, None)
        body = message("cancel", cancels="x", who="Kim")
        rig.send("cancel", body)
        assert rig.wait(body["request_id"])["error"]["code"] == "not_recorded"
        assert not rig.audited()
