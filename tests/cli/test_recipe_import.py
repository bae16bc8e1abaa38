"""`lineclear recipe import` at a station: its audit log has an entry before anything is written."""

from pathlib import Path

import pytest

from edge.audit import Action, entries
from edge.cli.main import main
from edge.recipe import export_recipe, versions
from tests.cli.running import RECIPE, simulated, station


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    export_recipe(RECIPE, tmp_path / "feeder.zip")
    return tmp_path / "feeder.zip"


def config(tmp_path: Path) -> str:
    views = {"feeder": {"recipe": str(tmp_path / "here"), "camera": simulated()}}
    return str(station(tmp_path, views=views))


def take_in(tmp_path: Path, packed: Path) -> int:
    arguments = [str(packed), "--out", str(tmp_path / "here"), "--view", "feeder", "--config", config(tmp_path)]
    return main(["recipe", "import", *arguments, "--who", "A. Meier", "--why", "second line"])


def test_it_stands_in_the_audit_log_of_the_station(packed: Path, tmp_path: Path) -> None:
    assert take_in(tmp_path, packed) == 0
    (log,) = {path.parent for path in tmp_path.rglob("audit-000001.jsonl")}
    (entry,) = entries(log)
    assert (entry.action, entry.who, entry.why) == (Action.RECIPE, "A. Meier", "import: second line")
    assert (entry.before, entry.after["view"]) == (None, "feeder")
    assert take_in(tmp_path, packed) == 0
    assert list(entries(log))[-1].before == {"version": 1}


def test_what_cannot_be_audited_is_not_brought_in(packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert take_in(tmp_path, packed) == 0
    (log,) = {path.parent for path in tmp_path.rglob("audit-000001.jsonl")}
    log.rename(tmp_path / "aside")
    log.write_text("")
    assert take_in(tmp_path, packed) == 3
    assert "cannot be written" in capsys.readouterr().err
    assert versions(tmp_path / "here") == (1,)
