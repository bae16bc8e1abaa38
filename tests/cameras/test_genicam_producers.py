import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge.cameras.producers import find_producers, find_serial, is_simulator, list_cameras, load_vendor, simulator_path
from edge.errors import CameraLost, CameraRefused

pytest.importorskip("harvesters", reason="GenICam support is not installed")
pytest.importorskip("genicam", reason="GenICam support is not installed")

VIKY = Path(__import__("genicam").__file__).with_name("viky.cti")


def library_that_is_no_producer() -> Path:
    name = next(
        line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libc." in line or "libc-" in line
    )
    return Path(name)


def test_viky_is_a_shorthand_for_the_simulator() -> None:
    assert find_producers(["viky"]) == (VIKY,)
    assert simulator_path() == VIKY


def test_search_path_is_scanned_and_each_file_taken_once(monkeypatch, tmp_path) -> None:
    for folder in ("b", "a"):
        (tmp_path / folder).mkdir()
    (tmp_path / "b" / "one.cti").symlink_to(VIKY)
    (tmp_path / "a" / "notes.txt").write_text("not a producer")
    places = [tmp_path / "gone", tmp_path / "b", tmp_path / "a", VIKY.parent, VIKY]
    monkeypatch.setenv("GENICAM_GENTL64_PATH", os.pathsep.join(["", *map(str, places)]))
    found = find_producers()
    assert [path.resolve() for path in found] == [VIKY.resolve()]
    assert is_simulator(tmp_path / "b" / "one.cti")


def test_broken_file_on_the_search_path_is_left_out_with_a_warning(monkeypatch, tmp_path, caplog) -> None:
    (tmp_path / "broken.cti").write_text("no library")
    monkeypatch.setenv("GENICAM_GENTL64_PATH", os.pathsep.join([str(tmp_path), str(VIKY.parent)]))
    assert [path.name for path in find_producers()] == ["viky.cti"]
    assert "broken.cti why=" in caplog.text
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(tmp_path))
    with pytest.raises(CameraRefused, match=r"no GenTL producer \(.cti file\) was found; left out: .*broken.cti"):
        find_producers()


def test_nothing_to_load_says_what_to_do(monkeypatch) -> None:
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    with pytest.raises(CameraRefused, match=r"GENICAM_GENTL64_PATH is not set: .* install the camera vendor's GenTL producer"):
        find_producers()


def test_named_files_must_be_producers(tmp_path) -> None:
    text = tmp_path / "text.cti"
    text.write_text("no library")
    with pytest.raises(CameraRefused, match=r"text.cti: it cannot be loaded as a library \(file too short\): name the .cti"):
        find_producers([str(text)])
    with pytest.raises(CameraRefused, match=r"gone.cti: there is no such file"):
        find_producers([str(tmp_path / "gone.cti")])
    # The GenICam library itself ends the process with a segmentation fault on this one.
    with pytest.raises(CameraRefused, match="it is a library, but no GenTL producer"):
        find_producers([str(library_that_is_no_producer())])


@pytest.mark.parametrize("missing", ["harvesters.core", "genicam.gentl"])
def test_missing_packages_say_what_to_install(monkeypatch, missing) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(CameraRefused, match="pip install harvesters genicam"):
        load_vendor()


def test_lists_the_cameras() -> None:
    found = list_cameras(["viky"])
    assert [(info.serial, info.model, info.access) for info in found] == [(serial, "Viky", "free") for serial in "012"]
    assert {info.producer for info in found} == {str(VIKY)}


def run_main(*producers: str) -> subprocess.CompletedProcess[str]:
    script = "import sys; from edge.cameras.producers import main; main(sys.argv[1:])"
    return subprocess.run([sys.executable, "-c", script, *producers], capture_output=True, text=True, check=False, timeout=60)


def test_lists_the_cameras_for_another_process() -> None:
    done = run_main("viky")
    assert done.returncode == 0, done.stderr
    assert [entry["serial"] for entry in json.loads(done.stdout)] == ["0", "1", "2"]
    assert done.stderr == ""


def test_listing_fails_in_one_line(tmp_path) -> None:
    done = run_main(str(tmp_path / "gone.cti"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "there is no such file" in done.stderr


def device(serial: object, producer: str) -> SimpleNamespace:
    parent = SimpleNamespace(parent=SimpleNamespace(parent=SimpleNamespace(path_name=producer)))
    return SimpleNamespace(
        property_dict={"serial_number": serial, "vendor": "V", "model": "M", "access_status": 4}, parent=parent
    )


def test_serial_must_be_seen_exactly_once() -> None:
    one, other = device("40012345", "/a.cti"), device("40012346", "/b.cti")
    harvester = SimpleNamespace(device_info_list=[one, other, device(None, "/b.cti")])
    paths = [Path("/a.cti"), Path("/b.cti")]
    info, found = find_serial(harvester, paths, "40012345")
    assert found is one
    assert (info.serial, info.access) == ("40012345", "in use")
    with pytest.raises(CameraLost, match=r'cameras seen: "40012345" .*, "40012346" .*; producers: /a.cti, /b.cti'):
        find_serial(harvester, paths, "4001234")
    harvester.device_info_list.append(device("40012345", "/b.cti"))
    with pytest.raises(CameraRefused, match=r"is seen 2 times, through /a.cti, /b.cti: name one .cti"):
        find_serial(harvester, paths, "40012345")
    with pytest.raises(CameraLost, match="cameras seen: none"):
        find_serial(SimpleNamespace(device_info_list=[]), paths, "1")


def test_nothing_of_the_vendor_is_imported_before_a_camera_is_opened() -> None:
    script = "import sys, edge.cameras.genicam; sys.exit(bool({'harvesters', 'genicam'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0
