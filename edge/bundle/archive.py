"""Unpacking a bundle's zip as if an enemy had made it: nothing is written outside the target, nothing larger than agreed."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path

from edge.bundle.files import CHUNK_BYTES, MANIFEST, MAX_BYTES, MIB, check_names, check_size
from edge.errors import BundleError

MAX_ENTRIES = 32
# Deflate reaches 1000 to 1; weights and images never come near this.
MAX_RATIO = 200
FREE_BYTES = 64 * MIB
_ENCRYPTED = 0x1 | 0x40 | 0x2000


def extract(archive_path: Path, target: Path) -> None:
    """Unpack into the empty folder `target`. BundleError for everything that is not a plain zip of a bundle's files."""
    where = str(archive_path)
    try:
        with zipfile.ZipFile(archive_path) as archive:
            entries = _checked(archive, archive_path)
            for name, entry in entries.items():
                _unpack(archive, entry, target / name, where)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BundleError(f"is no readable zip ({error})", where=where, remedy="copy the bundle again") from None
    except OSError as error:
        raise BundleError(f"cannot be unpacked ({error})", where=where, remedy="check space and permissions") from None


def looks_like_bundle(archive_path: Path) -> bool:
    """True if this is a zip of a bundle's files and nothing else: what `write_bundle` may replace."""
    try:
        with zipfile.ZipFile(archive_path) as archive:
            names = {name.rpartition("/")[2] for name in archive.namelist() if not name.endswith("/")}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return False
    return MANIFEST in names and names <= set(MAX_BYTES)


def _checked(archive: zipfile.ZipFile, archive_path: Path) -> dict[str, zipfile.ZipInfo]:
    """The entries by bare file name; a zip of a folder has one folder around all of them."""
    where = str(archive_path)
    infos = archive.infolist()
    if len(infos) > MAX_ENTRIES:
        raise BundleError(f"holds {len(infos)} files", where=where, remedy="zip the bundle alone")
    for info in infos:
        check_entry(info, where)
    files = [info for info in infos if not info.is_dir()]
    folders = {info.filename.rpartition("/")[0] for info in files}
    outside = [info.filename for info in infos if info.is_dir() and info.filename.rstrip("/") not in folders]
    if len(folders) != 1 or "/" in next(iter(folders)) or outside:
        raise BundleError("holds more than one folder", where=where, remedy="zip the bundle's folder alone")
    names = [info.filename.rpartition("/")[2] for info in files]
    check_names(names, where)
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise BundleError(f"holds {min(repeated)!r} twice", where=where, remedy="zip the bundle again")
    for name, info in zip(names, files, strict=True):
        check_size(name, info.file_size, where)
    total = sum(info.file_size for info in files)
    if total > FREE_BYTES and total > MAX_RATIO * archive_path.stat().st_size:
        raise BundleError(f"would unpack to {total} bytes: a zip bomb", where=where, remedy="do not use this file")
    return dict(zip(names, files, strict=True))


def check_entry(info: zipfile.ZipInfo, where: str) -> None:
    """BundleError for an entry that could do harm: a path that leads out, a link, a device, an encrypted or odd packing."""
    name = info.orig_filename
    parts = name.rstrip("/").split("/")
    # repr: a hostile name must not reach the terminal raw.
    shown = repr(name if len(name) <= 80 else name[:77] + "...")
    if "\\" in name or ":" in name or not name.isprintable() or any(part in ("", ".", "..") for part in parts):
        raise BundleError(f"the name {shown} would lead out of the bundle", where=where, remedy="do not use this file")
    if info.flag_bits & _ENCRYPTED:
        raise BundleError(f"{shown} is encrypted", where=where, remedy="zip the bundle without a password")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        raise BundleError(f"{shown} is a link or a device", where=where, remedy="zip plain files only")
    if info.is_dir() and info.file_size:
        raise BundleError(f"{shown} is a folder with content", where=where, remedy="zip the bundle again")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(f"{shown} is packed with method {info.compress_type}", where=where, remedy="use plain zip (deflate)")


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, where: str) -> None:
    """Copy in pieces and count: what a zip declares and what it holds are two things."""
    written = 0
    with archive.open(entry) as source, path.open("xb") as sink:
        while piece := source.read(CHUNK_BYTES):
            written += len(piece)
            if written > min(entry.file_size, MAX_BYTES[path.name]):
                raise BundleError(f"{path.name!r} is longer than it says", where=where, remedy="do not use this file")
            sink.write(piece)
    if written != entry.file_size:
        raise BundleError(f"{path.name!r} is shorter than it says", where=where, remedy="copy the bundle again")
