"""The pause before a start that follows failed ones."""

from pathlib import Path

import pytest

from edge.supervision import Restarts
from edge.supervision.restarts import pause_s
from tests.supervision.systemd import service
from tests.supervision.test_hanging import config


def test_the_pause_grows_to_a_minute() -> None:
    assert [pause_s(failed) for failed in range(8)] == [0, 0, 5, 10, 20, 40, 60, 60]
    assert pause_s(10_000) == 60


def test_it_grows_with_each_start_that_failed_and_is_gone_after_one_that_did_not(tmp_path: Path) -> None:
    path = tmp_path / "station.yaml"
    path.write_text("broken")
    environment = {"RUNTIME_DIRECTORY": str(tmp_path)}
    assert [Restarts.of(path, environment).begin() for _ in range(4)] == [0, 0, 5, 10]
    Restarts.of(path, environment).succeeded()
    assert Restarts.of(path, environment).begin() == 0


def test_a_config_that_was_mended_starts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "station.yaml"
    path.write_text("broken")
    environment = {"RUNTIME_DIRECTORY": str(tmp_path)}
    assert [Restarts.of(path, environment).begin() for _ in range(3)][-1] == 5
    path.write_text("mended, it seems")
    assert Restarts.of(path, environment).begin() == 0


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"failed": "x", "mark": "m"}', "\x00"])
def test_a_damaged_count_is_no_count(tmp_path: Path, text: str) -> None:
    file = tmp_path / "starts"
    file.write_text(text)
    assert Restarts(file, "m").begin() == 0


def test_where_nothing_can_be_counted_nothing_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert [Restarts.of(tmp_path / "c.yaml", {}).begin() for _ in range(5)] == [0] * 5
    assert [Restarts(tmp_path / "gone" / "starts").begin() for _ in range(5)] == [0] * 5
    assert "starts_not_counted" in caplog.text


def test_a_start_that_waits_says_so_and_can_be_stopped(tmp_path: Path) -> None:
    path = config(tmp_path)
    counted = Restarts.of(path, {"RUNTIME_DIRECTORY": str(tmp_path)})
    for _ in range(6):
        counted.begin()
    with service(path, tmp_path, RUNTIME_DIRECTORY=str(tmp_path)) as running:
        running.until(lambda: running.status.startswith("waits 60 s"))
        running.until(lambda: "EXTEND_TIMEOUT_USEC=120000000" in running.lines)
        running.process.terminate()
        assert running.ended() == 0
    assert counted.begin() == 0
