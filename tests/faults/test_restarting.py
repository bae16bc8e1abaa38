"""The faults that end a station: the next life finds everything as it was."""

from pathlib import Path

import pytest

from benchmarks import fault_config, fault_engine, fault_outbox
from benchmarks.fault_kills import killed
from tests.mosquitto import mosquitto_binary

pytestmark = pytest.mark.slow


def test_killed_at_random_moments_its_state_is_whole(tmp_path: Path) -> None:
    mosquitto_binary()
    row = killed(tmp_path, 4, 5.0)
    assert (row.lost, row.wrong) == (0, 0)
    assert row.verdicts > 0


def test_an_engine_that_hangs(tmp_path: Path) -> None:
    mosquitto_binary()
    row = fault_engine.hanging(tmp_path / "hang")
    assert (row.lost, row.wrong) == (0, 0)
    assert row.codes["engine_fault"] >= 1


def test_a_corrupt_outbox_is_set_aside(tmp_path: Path) -> None:
    mosquitto_binary()
    row = fault_outbox.corrupt(tmp_path / "corrupt")
    assert row.wrong == 0
    assert row.codes["FAIL"] >= 1


def test_garbage_in_the_config_of_a_running_station(tmp_path: Path) -> None:
    mosquitto_binary()
    (row,) = fault_config.config(tmp_path)
    assert (row.lost, row.wrong) == (0, 0)
    assert row.codes["safe_mode"] >= 1
