from __future__ import annotations

import stat
import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest

from edge.bundle import open_bundle
from edge.errors import BundleError
from tests.bundle.samples import tree, write, zipped

HOSTILE_NAMES = [
    "../escaped",
    "../../escaped",
    "sub/../../escaped",
    "/tmp/lineclear-escaped",
    "//server/escaped",
    "C:escaped",
    "C:\\escaped",
    "..\\escaped",
    "./model.onnx",
    "sub//model.onnx",
    "model.onnx\n",
    "\x1b[31mred",
    "name\x00.hidden",
    "..",
    "/",
    "",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_name_is_refused_and_writes_nothing(tmp_path: Path, name: str) -> None:
    archive = zipped(write(tmp_path / "b").path, tmp_path / "b.zip")
    with zipfile.ZipFile(archive, "a") as target:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        target.writestr(info, b"evil")
    before = tree(tmp_path)
    with pytest.raises(BundleError, match="would lead out of the bundle: do not use this file") as caught:
        open_bundle(archive, tmp_path / "cache")
    assert str(caught.value).isprintable()
    assert tree(tmp_path) == before
    assert not Path("/tmp/lineclear-escaped").exists()


@pytest.mark.parametrize("name", ["../manifest.json", "/manifest.json", "..\\manifest.json"])
def test_required_files_under_hostile_names_are_refused(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "b").path
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for path in folder.iterdir():
            info = zipfile.ZipInfo("placeholder")
            info.filename = name if path.name == "manifest.json" else path.name
            archive.writestr(info, path.read_bytes())
    with pytest.raises(BundleError, match="would lead out of the bundle"):
        open_bundle(tmp_path / "b.zip", tmp_path / "cache")
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFDIR])
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, kind: int) -> None:
    folder = write(tmp_path / "b").path
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for path in folder.iterdir():
            info = zipfile.ZipInfo(path.name)
            info.create_system = 3
            info.external_attr = ((kind if path.name == "model.onnx" else stat.S_IFREG) | 0o777) << 16
            archive.writestr(info, b"/etc/passwd" if path.name == "model.onnx" else path.read_bytes())
    with pytest.raises(BundleError, match=r"'model\.onnx' is a link or a device"):
        open_bundle(tmp_path / "b.zip")


def test_encrypted_entry_is_refused(tmp_path: Path) -> None:
    archive = zipped(write(tmp_path / "b").path, tmp_path / "b.zip")
    data = bytearray(archive.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    data[central + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(BundleError, match="is encrypted: zip the bundle without a password"):
        open_bundle(archive)


def test_repeated_name_is_refused(tmp_path: Path) -> None:
    archive = zipped(write(tmp_path / "b").path, tmp_path / "b.zip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with zipfile.ZipFile(archive, "a") as target:
            target.writestr("model.onnx", b"second")
    with pytest.raises(BundleError, match=r"'model\.onnx' twice"):
        open_bundle(archive)


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"run.sh": b""}, "'run.sh', which is no part of a bundle"),
        ({"MODEL.ONNX": b""}, "no part of a bundle"),
        ({"other/model.onnx": b""}, "more than one folder"),
        ({"empty/": b""}, "more than one folder"),
        ({f"f{i}": b"" for i in range(40)}, "holds 4[45] files"),
    ],
)
def test_stranger_in_a_zip_is_refused(tmp_path: Path, extra: dict[str, bytes], named: str) -> None:
    archive = zipped(write(tmp_path / "b").path, tmp_path / "b.zip", extra=extra)
    with pytest.raises(BundleError, match=named):
        open_bundle(archive)


@pytest.mark.parametrize("missing", ["manifest.json", "model.onnx", "golden.npz", "LICENSE"])
def test_missing_part_of_a_zip_is_named(tmp_path: Path, missing: str) -> None:
    folder = write(tmp_path / "b").path
    (folder / missing).unlink()
    with pytest.raises(BundleError, match=f"has no {missing}"):
        open_bundle(zipped(folder, tmp_path / "b.zip"))


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06" + b"\0" * 18, b"GIF89a", b"\0" * 100_000])
def test_file_that_is_no_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "b.zip").write_bytes(data)
    with pytest.raises(BundleError):
        open_bundle(tmp_path / "b.zip")


def test_method_that_is_not_deflate_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "b").path
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_LZMA) as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    with pytest.raises(BundleError, match="method 14: use plain zip"):
        open_bundle(tmp_path / "b.zip")


def bomb(folder: Path, out: Path, mib: int) -> Path:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in folder.iterdir():
            if path.name != "model.onnx":
                archive.write(path, path.name)
        with archive.open("model.onnx", "w") as stream:
            for _ in range(mib):
                stream.write(bytes(1 << 20))
    return out


def test_bomb_is_refused_without_unpacking_it(tmp_path: Path) -> None:
    archive = bomb(write(tmp_path / "b").path, tmp_path / "b.zip", 80)
    tracemalloc.start()
    with pytest.raises(BundleError, match="zip bomb"):
        open_bundle(archive, tmp_path / "cache")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
    assert tree(tmp_path / "cache") == {}


@pytest.mark.parametrize(
    ("declared_size", "named"),
    [(10, "no readable zip"), (3 << 20, "no readable zip|shorter"), (2 << 30, r"too large for model\.onnx")],
)
def test_entry_that_lies_about_its_size_is_refused(tmp_path: Path, declared_size: int, named: str) -> None:
    archive = bomb(write(tmp_path / "b").path, tmp_path / "b.zip", 2)
    data = bytearray(archive.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    assert data[at + 46 : at + 56] == b"model.onnx"
    struct.pack_into("<I", data, at + 24, declared_size)
    archive.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(BundleError, match=named):
        open_bundle(archive, tmp_path / "cache")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
    assert tree(tmp_path / "cache") == {}


def test_failed_unpacking_leaves_no_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    archive = zipped(write(tmp_path / "b").path, tmp_path / "b.zip", extra={"run.sh": b""})
    with pytest.raises(BundleError):
        open_bundle(archive)
    assert list((tmp_path / "scratch").iterdir()) == []
