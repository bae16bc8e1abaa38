"""`lineclear run`: until a signal, and nothing stays behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.cli.running import RECIPE, ROOT, process, simulated, station


def cameras_of(running: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The processes of its cameras, as soon as there are any."""
    me = psutil.Process(running.pid)
    while not (children := me.children(recursive=True)):
        assert running.poll() is None, "it ended before it opened a camera"
    return children


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_and_leaves_nothing(tmp_path, number: signal.Signals) -> None:
    view = {"recipe": str(RECIPE), "camera": simulated(), "trigger": {"kind": "continuous", "interval_s": 0.1}}
    config = station(tmp_path, views={"feeder": view})
    shared_before = set(os.listdir("/dev/shm"))
    command = [sys.executable, "-m", "edge", "run", str(config)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        log = []
        for line in running.stderr:
            log.append(line)
            if "station_ready" in line:
                break
        children = cameras_of(running)
        running.send_signal(number)
        out, rest = running.communicate(timeout=60)
    assert (running.returncode, out) == (0, "")
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert set(os.listdir("/dev/shm")) <= shared_before
    said = "".join(log) + rest
    assert f"stopping signal={number.name}" in said
    assert "station_stopped" in said
    assert "Traceback" not in said
    assert "did_not_stop" not in said


def test_a_station_that_cannot_start_says_so_in_one_line(lineclear, tmp_path) -> None:
    for path, problem in (
        (tmp_path / "none.yaml", "none.yaml: file not found"),
        (station(tmp_path, state_dir="/proc/state"), "/proc/state"),
    ):
        answer = lineclear("run", path)
        assert (answer.status, answer.out) == (3, "")
        assert problem in answer.problems[0]
        assert "no last good config" in answer.problems[1]


def test_a_check_that_is_terminated_leaves_no_process(tmp_path) -> None:
    camera = simulated(faults=[{"kind": "stall", "probability": 1.0, "length": 100_000}])
    views = {"feeder": {"recipe": str(RECIPE), "camera": camera, "trigger": {"timeout_s": 60}}}
    config = station(tmp_path, views=views, clearance={"timeout_s": 60})
    command = [sys.executable, "-m", "edge", "-v", "check", str(config), "--batch", "B", "--product", "P"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        children = cameras_of(running)
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "lineclear: interrupted"
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def test_a_killed_run_takes_its_cameras_along(tmp_path) -> None:
    view = {"recipe": str(RECIPE), "camera": simulated(), "trigger": {"kind": "continuous"}}
    config = station(tmp_path, views={"feeder": view})
    command = [sys.executable, "-m", "edge", "run", str(config)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert any("station_ready" in line for line in running.stderr)
        children = cameras_of(running)
        running.kill()
        running.communicate(timeout=60)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


def test_a_broken_config_keeps_run_from_starting(tmp_path) -> None:
    path = Path(tmp_path / "station.yaml")
    path.write_text("station:\n\tsite: s\n")
    answer = process("run", path)
    assert (answer.status, answer.out) == (3, "")
    assert answer.problems[0] == f"lineclear: {path}: line 2: a tab in the indentation: indent with spaces"
    assert "no last good config" in answer.problems[1]
