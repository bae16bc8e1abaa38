"""`lineclear doctor`: one line per check, OK, WARN, FAIL or SKIP, and every line that needs it says what to do."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge.cli import doctor
from edge.doctor import disk, libraries
from edge.doctor.check import Check, Status
from edge.doctor.examinations import kinds
from edge.doctor.limits import Limit
from tests.cli.running import CONFIGS, IMAGES, RECIPE, ROOT, replayed, simulated, station
from tests.mosquitto import free_port, mosquitto, password_lines
from tests.schemas import validator

LINE = re.compile(r"(OK  |WARN|FAIL|SKIP) [a-z][\w .-]*: .+")


def found(answer, name: str) -> str:
    (line,) = [line for line in answer.out.splitlines() if line[5:].startswith(f"{name}: ")]
    return line


def document(answer) -> dict[str, dict[str, str]]:
    """The checks of --json by name, held against the schema."""
    said = json.loads(answer.out)
    validator("doctor").validate(said)
    assert said["counts"] == {
        status: sum(check["status"] == status for check in said["checks"]) for status in ("OK", "WARN", "FAIL", "SKIP")
    }
    known = kinds()
    for check in said["checks"]:
        assert any(check["name"] == kind or check["name"].startswith(f"{kind} ") for kind in known), check
        assert "could not be made" not in check["detail"], check
    return {check["name"]: check for check in said["checks"]}


@pytest.mark.parametrize("name", ["simulated", "replay"])
def test_examples_without_hardware_have_no_failure(lineclear, name: str) -> None:
    answer = lineclear("doctor", CONFIGS / f"{name}.yaml")
    assert (answer.status, answer.err) == (0, "")
    assert all(LINE.fullmatch(line) for line in answer.out.splitlines())
    for kind in ("recipe feeder", "golden feeder", "last fault"):
        assert found(answer, kind).startswith("OK")
    assert found(answer, "config").endswith("1 view(s)")


def test_three_views_on_a_desk_say_what_is_missing(lineclear, monkeypatch) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    answer = lineclear("doctor", CONFIGS / "three-views-triggered.yaml", "--json")
    assert answer.status == 1
    by_name = document(answer)
    assert by_name["producers"]["status"] == "FAIL"
    assert "22045679" in by_name["camera nest"]["detail"]


def test_without_a_config_the_machine_is_looked_at(lineclear, monkeypatch) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    answer = lineclear("doctor", "--json")
    assert (answer.status, answer.err) == (0, "")
    looked_at = document(answer)
    assert {"python", "numpy", "onnxruntime", "clock", "memory", "disk", "temperature", "network", "gpu"} <= {
        name.split()[0] for name in looked_at
    }
    assert json.loads(answer.out)["config"] is None


def test_every_camera_is_looked_for_by_its_serial(lineclear, tmp_path) -> None:
    pytest.importorskip("genicam", reason="needs the genicam extra")
    views = {
        name: {"recipe": str(CONFIGS / "recipes" / name), "camera": {"kind": "genicam", "serial": s, "producers": ["viky"]}}
        for name, s in (("feeder", "1"), ("nest", "no-such-serial"))
    }
    answer = lineclear("doctor", station(tmp_path, views=views))
    assert answer.status == 1
    assert found(answer, "camera feeder").startswith("OK")
    line = found(answer, "camera nest")
    assert line.startswith("FAIL camera nest: serial no-such-serial is not among the cameras seen (seen: 0 (")
    assert line.endswith("): check power, cable and network; the serial is on the camera's label")


def test_a_producer_that_is_no_library_is_named(lineclear, tmp_path) -> None:
    pytest.importorskip("genicam", reason="needs the genicam extra")
    producer = tmp_path / "broken.cti"
    producer.write_text("no library")
    camera = {"kind": "genicam", "serial": "1", "producers": [str(producer)]}
    answer = lineclear("doctor", station(tmp_path, views={"feeder": {"recipe": str(RECIPE), "camera": camera}}))
    assert answer.status == 1
    assert "broken.cti" in (line := found(answer, "producers"))
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
            assert password not in answer.out.replace("broker rights", "")
            assert answer.err.count("\n") == status
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
    for module in set(libraries.REQUIRED.values()):
        (tmp_path / f"{module.split('.')[0]}.py").write_text("raise ImportError('libGL.so.1: no such file')\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "edge", "doctor", str(CONFIGS / "replay.yaml")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("lineclear: ")
    assert done.stderr.count("\n") == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert len(failed) == len(libraries.REQUIRED)
    assert all("libGL.so.1: no such file" in line and "pip install" in line for line in failed)
    assert "could not be made" not in done.stdout
    assert "memory: " in done.stdout, "the machine is looked at all the same"
    command[3:] = ["judge", "--recipe", str(RECIPE), str(IMAGES[0])]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    (problem,) = done.stderr.splitlines()
    assert "ask `lineclear doctor`" in problem


def test_both_opencv_builds_and_a_full_disk_are_said(lineclear, monkeypatch, tmp_path) -> None:
    real = libraries.version_of
    monkeypatch.setattr(libraries, "version_of", lambda name: "4.10" if name == "opencv-python" else real(name))
    monkeypatch.setattr(disk, "DISK_FREE", Limit("disk free", 1 << 62, "MB", ""))
    answer = lineclear("doctor", station(tmp_path))
    assert "overwrite each other" in found(answer, "opencv")
    assert found(answer, "disk").startswith("WARN")


def test_wheels_are_held_against_the_lock_of_the_release(lineclear, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    numpy = libraries.version_of("numpy")
    for pins, status, word in (
        (f"numpy=={numpy}\n", "OK", "all 1 as in the lock file"),
        (f"numpy=={numpy}\npydantic==1.0\nno-such-thing==2\n", "WARN", "instead of 1.0; no-such-thing is missing"),
    ):
        (tmp_path / ".pins").write_text(pins)
        line = found(lineclear("doctor"), "wheels")
        assert (line[:4].strip(), word in line) == (status, True), line


def test_a_running_station_is_not_disturbed(lineclear, tmp_path) -> None:
    """Its state folder is in use, and holds no file more or less afterwards."""
    from edge.app import assemble
    from edge.config import load_config

    path = station(tmp_path, views={"feeder": {"recipe": str(RECIPE), "camera": replayed()}}, archive={"enabled": False})
    with assemble(load_config(path)):
        before = sorted(file.name for file in (tmp_path / "state").rglob("*"))
        answer = lineclear("doctor", path)
        after = sorted(file.name for file in (tmp_path / "state").rglob("*"))
    assert answer.status == 0
    assert before == after
    assert found(answer, "audit").startswith("OK")
    assert found(answer, "disk speed").startswith(("OK", "WARN"))


def test_a_line_stays_a_line(capsys, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "_checks", lambda _: iter([Check("disk", Status.FAIL, "a\nb", "c\x1b[2J")]))
    assert doctor.doctor(Path("x"), as_json=False) == 1
    assert capsys.readouterr().out == "FAIL disk: a\\nb: c\\x1b[2J\n"
