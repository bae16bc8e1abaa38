"""Producers and cameras: the simulator for real, and stand-ins that crash, hang or talk nonsense."""

import json
import sys
import textwrap
from pathlib import Path

import pytest

from edge.config import load_config
from edge.doctor import cameras
from edge.doctor.cameras import answer_of, licence_files
from edge.doctor.check import Case, Status
from tests.cli.running import RECIPE, station
from tests.doctor.trees import JETSON, checked, grow

pytest.importorskip("genicam", reason="needs the genicam extra")


def configured(tmp_path: Path, **views: dict[str, object]) -> Case:
    found = {name: {"recipe": str(RECIPE), "camera": {"kind": "genicam", **camera}} for name, camera in views.items()}
    return Case(config=load_config(station(tmp_path, views=found)))


@pytest.fixture
def child(monkeypatch):
    """What runs instead of the process that loads a producer."""

    def replaced(code: str, patience_s: float = 20.0) -> None:
        monkeypatch.setattr(cameras, "_SCRIPT", textwrap.dedent(code))
        monkeypatch.setattr(cameras, "PATIENCE_S", patience_s)

    return replaced


def test_the_simulator_and_its_cameras(tmp_path: Path) -> None:
    case = configured(tmp_path, feeder={"serial": "1", "producers": ["viky"]}, nest={"serial": "none", "producers": ["viky"]})
    found = checked(cameras.cameras(case))
    assert set(found) == {"producer viky.cti", "camera feeder", "link feeder", "camera nest"}
    assert found["producer viky.cti"].status is Status.WARN
    assert "3 cameras; a simulator" in found["producer viky.cti"].detail
    assert found["camera feeder"].detail == "serial 1: Machine Vision Games Ltd. Viky, free"
    assert found["link feeder"].status is Status.SKIP, "it tells neither speed nor address"
    assert found["camera nest"].status is Status.FAIL
    assert "(seen: 0 (Machine Vision Games Ltd. Viky, free), 1 (" in found["camera nest"].detail


def test_without_a_config_all_cameras_are_listed(tmp_path: Path, monkeypatch) -> None:
    import genicam

    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(Path(genicam.__file__).parent))
    found = checked(cameras.cameras(Case()))
    assert found["cameras"].status is Status.OK
    assert found["cameras"].detail.count("Viky") == 3
    monkeypatch.delenv("GENICAM_GENTL64_PATH")
    found = checked(cameras.cameras(Case()))
    assert {name: check.status.value for name, check in found.items()} == {"producers": "WARN", "cameras": "WARN"}


def test_a_config_without_such_cameras_is_not_bothered(tmp_path: Path) -> None:
    (found,) = cameras.cameras(Case(config=load_config(station(tmp_path))))
    assert (found.name, found.status) == ("producers", Status.SKIP)


def test_a_producer_that_crashes_is_one_line(tmp_path: Path, child) -> None:
    child("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    found = checked(cameras.cameras(configured(tmp_path, feeder={"serial": "1", "producers": ["viky"]})))
    assert found["producer viky.cti"].status is Status.FAIL
    assert "crashed (signal 11)" in found["producer viky.cti"].detail
    assert found["camera feeder"].status is Status.FAIL


def test_a_producer_that_hangs_is_killed(tmp_path: Path, child) -> None:
    child("import threading; threading.Event().wait()", patience_s=0.3)
    found = checked(cameras.cameras(configured(tmp_path, feeder={"serial": "1", "producers": ["viky"]})))
    assert "did not answer in 0.3 s" in found["producer viky.cti"].detail


def told(child, **answer: object) -> None:
    child(f"print({json.dumps(answer)!r})")


@pytest.mark.parametrize(
    ("error", "word"), [("license not found: node locked", "no licence on this machine"), ("GC_ERR_IO", "vendor's viewer")]
)
def test_an_error_about_the_licence_says_whom_to_ask(tmp_path: Path, child, error: str, word: str) -> None:
    told(child, error=error)
    found = checked(cameras.cameras(configured(tmp_path, feeder={"serial": "1", "producers": ["viky"]})))
    assert found["producer viky.cti"].status is Status.FAIL
    assert word in found["producer viky.cti"].remedy


def test_a_camera_in_use_is_no_failure(tmp_path: Path, child) -> None:
    camera = {"serial": "1", "vendor": "Basler", "model": "ace", "access": "no access", "transport": "GEV"}
    told(child, vendor="Basler", model="ProducerGEV", version="7.5", transport="GEV", cameras=[camera])
    found = checked(cameras.cameras(configured(tmp_path, feeder={"serial": "1", "producers": ["viky"]})))
    assert found["camera feeder"].status is Status.WARN
    assert "the running station" in found["camera feeder"].remedy
    assert found["link feeder"].status is Status.SKIP
    assert found["producer viky.cti"].detail.startswith("Basler ProducerGEV 7.5 GEV, 1 cameras; ")


def test_a_free_gige_camera_tells_its_link(tmp_path: Path, child) -> None:
    features = {"link_bps": 1e9, "address": "169.254.1.2", "packet_size": 8192, "celsius": 44}
    camera = {"serial": "1", "vendor": "Basler", "model": "ace", "access": "free", "transport": "GEV", "features": features}
    told(child, cameras=[camera])
    case = configured(tmp_path, feeder={"serial": "1", "producers": ["viky"]})
    found = checked(cameras.cameras(Case(grow(tmp_path / "root", JETSON), case.config)))
    assert found["link feeder"].detail == ("1000 Mbit/s, 169.254.1.2 on eth0, MTU 9000, packets of 8192 bytes, 44 °C")


def test_a_producer_that_is_known_to_mark_other_vendors_pictures(tmp_path: Path) -> None:
    path = tmp_path / "mvGenTLProducer.cti"
    ours = {"cameras": [{"vendor": "MATRIX VISION GmbH"}]}
    theirs = {"cameras": [{"vendor": "MATRIX VISION GmbH"}, {"vendor": "Basler"}]}
    assert cameras._producer(path, ours, True).status is Status.OK
    found = cameras._producer(path, theirs, True)
    assert (found.status, "Basler" in found.remedy) == (Status.WARN, True)


def test_licence_texts_beside_a_producer(tmp_path: Path) -> None:
    folder = tmp_path / "vendor" / "lib" / "gentlproducer"
    folder.mkdir(parents=True)
    assert licence_files(folder / "x.cti") == ()
    (tmp_path / "vendor" / "LICENSE.txt").touch()
    assert licence_files(folder / "x.cti") == (str(tmp_path / "vendor" / "LICENSE.txt"),)
    (folder / "EULA.pdf").touch()
    assert licence_files(folder / "x.cti") == (str(folder / "EULA.pdf"),)
    assert licence_files(tmp_path / "no" / "such" / "x.cti")[:1] == ()


@pytest.mark.parametrize(
    ("status", "out", "err", "word"),
    [
        (0, "", "", "ended with 0"),
        (1, "noise\n[1]", "Traceback\nOSError: x", "ended with 1: OSError: x"),
        (-6, "{", "", "crashed (signal 6)"),
        (0, '{"cameras": 7}', "", "ended with 0"),
    ],
)
def test_nonsense_from_the_process(status: int, out: str, err: str, word: str) -> None:
    assert word in answer_of(status, out, err)["error"]
    assert answer_of(0, 'a vendor greets\n{"cameras": []}', "") == {"cameras": []}


def test_the_process_says_what_it_cannot_load(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "x.cti").write_text("no library")
    command = [sys.executable, "-c", cameras._SCRIPT, str(tmp_path / "x.cti")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "error" in answer_of(done.returncode, done.stdout, done.stderr)
