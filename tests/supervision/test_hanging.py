"""`lineclear run` as systemd sees it: what hangs is answered for and ended, and what is sound is left alone."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from edge.supervision import HUNG, Restarts
from tests.cli.running import RECIPE, simulated, station
from tests.supervision.systemd import service

ALONE = {"kind": "mqtt", "host": "127.0.0.1", "port": 9, "drain_s": 0}
"""A broker that is not there: results wait on the disk."""
QUICK = {"hang_timeout_s": 1.0, "retry_first_s": 0.05, "retry_last_s": 0.1}


def config(folder: Path, faults: list[dict[str, Any]] | None = None, **changes: Any) -> Path:
    """One view that is judged ten times a second."""
    view = {
        "recipe": str(RECIPE),
        "camera": simulated(rate_hz=20),
        "trigger": {"kind": "continuous", "interval_s": 0.1},
        "process": QUICK,
    }
    if faults:
        changes["engine"] = {"kind": "simulated", "faults": faults}
    return station(folder, views={"feeder": view}, publisher=ALONE, pictures={"publish": "none"}, **changes)


def reasons(folder: Path) -> list[str]:
    """Of the verdicts that are on the disk, oldest first."""
    with closing(sqlite3.connect(f"file:{folder / 'state' / 'outbox.sqlite3'}?mode=ro", uri=True)) as outbox:
        found = [json.loads(body) for (body,) in outbox.execute("SELECT payload FROM outbox ORDER BY id") if body]
    results = [body for body in found if body.get("schema", "").startswith("lineclear/result")]
    return [(body["reason"] or {"code": body["outcome"]})["code"] for body in results]


def test_a_hung_engine_is_answered_for_and_the_station_ends_by_itself(tmp_path: Path) -> None:
    broken = config(tmp_path, [{"kind": "hang", "at": [5]}], supervision={"engine_call_s": 0.5})
    with service(broken, tmp_path, watchdog_s=30) as running:
        assert running.ended() == HUNG
        running._listen(0.0)
    assert not running.killed_by_watchdog
    assert running.ready
    assert 'part_hangs name=judge what="a call of engine' in running.logged
    assert reasons(tmp_path)[-1] == "engine_fault"
    assert "engine_fault" not in reasons(tmp_path)[:3]
    assert "judge hangs" in json.loads((tmp_path / "state" / "last-fault.json").read_text())["why"]
    with service(config(tmp_path), tmp_path, watchdog_s=30) as again:
        again.until(lambda: again.ready)


def test_an_engine_that_seizes_the_interpreter_is_ended_by_the_watchdog(tmp_path: Path) -> None:
    broken = config(tmp_path, [{"kind": "seize", "at": [5]}])
    with service(broken, tmp_path, watchdog_s=1.5) as running:
        assert running.ended() == -signal.SIGABRT
    assert running.killed_by_watchdog
    assert running.ready
    assert "a call of engine" not in running.logged, "nothing of Python ran any more"


def test_without_systemd_a_seized_interpreter_ends_all_the_same() -> None:
    code = "import ctypes; from edge.supervision import Bomb; Bomb().arm(0.2); ctypes.PyDLL(None).pause()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Timeout (0:00:00.2" in done.stderr
    assert "<string>" in done.stderr, "it says where every thread stood"


def test_a_bomb_that_is_put_off_or_disarmed_harms_nobody() -> None:
    code = (
        "import time; from edge.supervision import Bomb; bomb = Bomb()\n"
        "for _ in range(5): bomb.arm(0.3); time.sleep(0.1)\n"
        "bomb.disarm(); time.sleep(0.5)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_a_stopped_camera_process_is_noticed_killed_and_replaced(tmp_path: Path) -> None:
    with service(config(tmp_path), tmp_path, watchdog_s=30, abstract=True) as running:
        running.until(lambda: running.ready and running.status.startswith("ready"))
        (camera,) = psutil.Process(running.process.pid).children()
        os.kill(camera.pid, signal.SIGSTOP)
        running.until(lambda: "camera silent" in running.status)
        running.until(lambda: running.status.startswith("ready"))
        (fresh,) = psutil.Process(running.process.pid).children()
        assert fresh.pid != camera.pid
        assert "camera_lost" in reasons(tmp_path)
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 0
        running._listen(0.0)
    assert "STOPPING=1" in running.lines
    assert not any(line.startswith("STATUS=ending") for line in running.lines)


def test_a_sound_station_is_fed_ready_once_and_never_killed(tmp_path: Path) -> None:
    with service(config(tmp_path), tmp_path, watchdog_s=3) as running:
        running.until(lambda: running.lines.count("WATCHDOG=1") > 20)
        assert running.lines.count("READY=1") == 1
        assert running.lines.index("READY=1") > running.lines.index("EXTEND_TIMEOUT_USEC=30000000")
        running.until(lambda: "verdicts" in running.status and "PASS" in running.status)
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 0
    assert not running.killed_by_watchdog


def test_a_view_whose_recipe_is_gone_makes_a_degraded_service_that_is_ready(tmp_path: Path) -> None:
    path = config(tmp_path)
    path.write_text(path.read_text().replace(str(RECIPE), str(tmp_path / "gone")))
    with service(path, tmp_path) as running:
        running.until(lambda: running.ready)
        assert running.status.startswith("degraded: feeder: recipe_invalid")


def test_two_stations_on_one_state_folder(tmp_path: Path) -> None:
    path = config(tmp_path)
    with service(path, tmp_path) as first:
        first.until(lambda: first.ready)
        with service(path, tmp_path) as second:
            assert second.ended() == 3
        assert f"in use by process {first.process.pid}" in second.logged
        first.process.kill()
        first.process.wait(60)
        with service(path, tmp_path) as third:
            third.until(lambda: third.ready)


def test_one_that_hangs_whenever_it_is_ready_waits_before_the_next_start(tmp_path: Path) -> None:
    broken = config(tmp_path, [{"kind": "hang", "at": [0]}], supervision={"engine_call_s": 0.2})
    environment = {"RUNTIME_DIRECTORY": str(tmp_path)}
    assert Restarts.of(broken, environment).begin() == 0
    with service(broken, tmp_path, watchdog_s=30, **environment) as running:
        assert running.ended() == HUNG
    assert running.ready
    assert Restarts.of(broken, environment).begin() > 0
