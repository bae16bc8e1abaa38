"""Changes of recipes reach the audit log of the station that they were made for, or are not made."""

from pathlib import Path

import pytest

from calibration.auditing import trace_of
from calibration.cards import restore
from calibration.trace import Signature
from edge.audit import Action, AuditError, entries, verify
from edge.config import load_config
from edge.recipe import versions
from tests.recipe.builders import bundle, with_card

CONFIG = """
station: {site: s, area: a, line: l, station: one}
state_dir: state
publisher: {kind: memory}
views:
  front:
    camera: {kind: folder, path: frames}
    recipe: front
"""


@pytest.fixture
def station(tmp_path: Path) -> Path:
    (tmp_path / "station.yaml").write_text(CONFIG)
    with_card(tmp_path / "front", bundle(tmp_path))
    return tmp_path


def test_a_rollback_is_in_the_log_before_it_is_in_force(station: Path) -> None:
    trace = trace_of(load_config(station / "station.yaml"))
    assert trace is not None
    version = restore(station / "front", 1, Signature(who="A. Meier", why="lamp went back"), trace)
    (entry,) = entries(station / "state" / "audit")
    assert (entry.action, entry.who, entry.why) == (Action.RECIPE, "A. Meier", "lamp went back")
    assert entry.subject == str(station / "front")
    assert entry.after["change"] == "rollback"
    assert version == 3
    assert verify(station / "state" / "audit").sound


def test_what_cannot_be_audited_is_not_done(station: Path) -> None:
    (station / "state").mkdir()
    (station / "state" / "audit").write_text("in the way")
    trace = trace_of(load_config(station / "station.yaml"))
    with pytest.raises(AuditError):
        restore(station / "front", 1, Signature(who="A. Meier", why="lamp went back"), trace)
    assert versions(station / "front") == (1, 2)


def test_without_a_config_there_is_no_log_to_write() -> None:
    assert trace_of(None) is None
