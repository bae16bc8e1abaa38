"""`lineclear doctor`: one line per check, OK, WARN or FAIL, and every line that is not OK says what to do."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge.cli import checks, doctor
from edge.cli.checks import Check, Status
from tests.cli.running import CONFIGS, IMAGES, RECIPE, ROOT, simulated, station
from tests.mosquitto import free_port, mosquitto, password_lines

LINE = re.compile(r"(OK  |WARN|FAIL) [a-z][\w .-]*: .+")


def found(answer, name: str) -> str:
    (line,) = [line for line in answer.out.splitlines() if line[5:].startswith(f"{name}: ")]
    return line


@pytest.mark.parametrize("name", ["simulated", "replay"])
def test_examples_without_hardware_have_no_failure(lineclear, name: str) -> None:
    answer = lineclear("doctor", CONFIGS / f"{name}.yaml")
    assert (answer.status, answer.err) == (0, "")
    assert all(LINE.fullmatch(line) for line in answer.out.splitlines())
    assert found(answer, "recipe feeder").startswith("OK")
    assert found(answer, "config").endswith("1 view(s)")


def test_three_views_on_a_desk_say_what_is_missing(lineclear, monkeypatch) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    answer = lineclear("doctor", CONFIGS / "three-views-triggered.yaml", "--json")
    assert answer.status == 1
    by_name = {check["name"]: check for check in json.loads(answer.out)}
    assert {key for check in by_name.values() for key in check} == {"name", "status", "detail", "remedy"}
    assert by_name["cameras"]["status"] == "FAIL"
    assert "22045679" in by_name["camera nest"]["detail"]


def test_without_a_config_the_machine_is_looked_at(lineclear, monkeypatch) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    answer = lineclear("doctor")
    assert (answer.status, answer.err) == (0, "")
    assert {"python", "numpy", "onnxruntime", "clock", "disk"} <= {line[5:].split(": ")[0] for line in answer.out.splitlines()}


def test_every_camera_is_looked_for_by_its_serial(lineclear, tmp_path) -> None:
    pytest.importorskip("genicam", reason="needs the genicam extra")
    views = {
        name: {"recipe": str(CONFIGS / "recipes" / name), "camera": {"kind": "genicam", "serial": s, "producers": ["viky"]}}
        for name, s in (("feeder", "1"), ("nest", "no-such-serial"))
    }
    answer = lineclear("doctor", station(tmp_path, views=views))
    assert answer.status == 1
    assert found(answer, "cameras").startswith("OK")
    assert " 1 (Machine Vision Games Ltd. Viky, " in found(answer, "cameras")
    assert found(answer, "camera feeder").startswith("OK")
    assert found(answer, "camera nest") == (
        "FAIL camera nest: serial no-such-serial is not among the cameras seen: "
        "check power, cable and network; the serial is on the camera's label"
    )


def test_a_producer_that_is_no_library_is_named(lineclear, tmp_path) -> None:
    pytest.importorskip("genicam", reason="needs the genicam extra")
    producer = tmp_path / "broken.cti"
    producer.write_text("no library")
    camera = {"kind": "genicam", "serial": "1", "producers": [str(producer)]}
    answer = lineclear("doctor", station(tmp_path, views={"feeder": {"recipe": str(RECIPE), "camera": camera}}))
    assert answer.status == 1
    assert "broken.cti" in (line := found(answer, "cameras"))
    assert "cannot be loaded as a library" in line
    assert found(answer, "camera feeder").startswith("FAIL")


def test_a_broker_that_refuses_the_password(lineclear, tmp_path) -> None:
    secret = tmp_path / "secret"
    with mosquitto(tmp_path, *password_lines(tmp_path, box="right"), allow_anonymous=False) as broker:
        settings = {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port, "credentials_file": str(secret)}
        config = station(tmp_path, publisher=settings)
        for password, status in (("wrong", 1), ("right", 0)):
            secret.write_text(f"box:{password}\n")
            secret.chmod(0o600)
            answer = lineclear("doctor", config)
            line = found(answer, "broker")
            assert (answer.status, f"127.0.0.1:{broker.port}" in line) == (status, True), line
            assert password not in answer.out
    line = found(lineclear("doctor", config), "broker")
    assert line.startswith("FAIL")
    assert line.count(str(broker.port)) == 1


def test_a_broker_that_is_not_there(lineclear, tmp_path) -> None:
    config = station(tmp_path, publisher={"kind": "mqtt", "host": "127.0.0.1", "port": free_port()})
    assert "nothing listens there: start the broker" in found(lineclear("doctor", config), "broker")


def test_a_config_with_problems_is_a_failure_per_problem(lineclear, tmp_path) -> None:
    answer = lineclear("doctor", station(tmp_path, colour="red", engine={"kind": "abacus"}))
    assert answer.status == 1
    assert [line for line in answer.out.splitlines() if line.startswith("FAIL")] == [
        line for line in answer.out.splitlines() if line.startswith("FAIL config: ")
    ]
    assert answer.out.count("FAIL") == 2
    assert "file not found" in found(lineclear("doctor", tmp_path / "none.yaml"), "config")
    assert "cannot be read" in found(lineclear("doctor", IMAGES[0]), "config")


def test_thresholds_that_do_not_hold_are_said(lineclear, tmp_path) -> None:
    recipe = tmp_path / "recipe"
    subprocess.run(["cp", "-r", RECIPE, recipe], check=True)
    (recipe / "current").write_text("0001\n")
    answer = lineclear("doctor", station(tmp_path, views={"feeder": {"recipe": str(recipe), "camera": simulated()}}))
    assert answer.status == 1
    line = found(answer, "recipe feeder")
    assert line.startswith("FAIL")
    assert line.endswith("it has no threshold card: take thresholds: lineclear-calibrate thresholds")


def test_a_state_folder_that_is_a_file_fails(lineclear, tmp_path) -> None:
    (tmp_path / "taken").touch()
    answer = lineclear("doctor", station(tmp_path, state_dir="taken/state"))
    assert "taken is no folder" in found(answer, "disk")


def test_missing_libraries_are_reported_by_a_machine_that_has_none(tmp_path) -> None:
    """A stand-in for each library that cannot be imported comes first on the path: the doctor must not need any of them."""
    for module in set(checks.REQUIRED.values()):
        (tmp_path / f"{module.split('.')[0]}.py").write_text("raise ImportError('libGL.so.1: no such file')\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "edge", "doctor", str(CONFIGS / "replay.yaml")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("lineclear: ")
    assert done.stderr.count("\n") == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert len(failed) == len(checks.REQUIRED)
    assert all("libGL.so.1: no such file" in line and "pip install" in line for line in failed)
    command[3:] = ["judge", "--recipe", str(RECIPE), str(IMAGES[0])]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    (problem,) = done.stderr.splitlines()
    assert "ask `lineclear doctor`" in problem


def test_both_opencv_builds_and_a_full_disk_are_said(lineclear, monkeypatch, tmp_path) -> None:
    real = checks.version_of
    monkeypatch.setattr(checks, "version_of", lambda name: "4.10" if name == "opencv-python" else real(name))
    monkeypatch.setattr(checks, "MIN_FREE_BYTES", 1 << 62)
    answer = lineclear("doctor", station(tmp_path))
    assert "overwrite each other" in found(answer, "opencv")
    assert found(answer, "disk").startswith("WARN")


def test_a_line_stays_a_line(capsys, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "_checks", lambda _: iter([Check("disk", Status.FAIL, "a\nb", "c\x1b[2J")]))
    assert doctor.doctor(Path("x"), as_json=False) == 1
    assert capsys.readouterr().out == "FAIL disk: a\\nb: c\\x1b[2J\n"
