"""The report's folder: whole or not there. It replaces an older report and never anything else."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from calibration.report.document import KIND
from edge.errors import ConfigError

PAGE, DOCUMENT = "index.html", "report.json"
_REMEDY = "name a new folder, or one that holds an older report"


def check_folder(out: Path) -> None:
    """ConfigError if a report cannot be written at `out`: asked before hours of work, not after. Makes nothing."""
    _refuse_strangers(out)
    near = next(parent for parent in out.absolute().parents if os.path.lexists(parent))
    try:
        with tempfile.TemporaryDirectory(prefix=".lineclear-", dir=near):
            pass
    except OSError as error:
        raise _unwritable(out, error) from None


def publish(out: Path, files: Mapping[str, bytes]) -> None:
    """Write the files as the folder `out`: into a temporary folder first, which then takes its place by a rename.

    ConfigError: `out` holds something else than an older report, or cannot be written; then it is as it was.
    """
    _refuse_strangers(out)
    scratch: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".lineclear-", dir=out.parent))
        fresh = scratch / "new"
        fresh.mkdir()
        for name, data in files.items():
            with (fresh / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        _swap(fresh, out, scratch / "old")
    except OSError as error:
        raise _unwritable(out, error) from None
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def _swap(fresh: Path, out: Path, old: Path) -> None:
    if out.exists():
        os.rename(out, old)
    try:
        os.rename(fresh, out)
    except BaseException:  # also a Ctrl-C between the two: the older report must not go with the scratch folder
        if old.exists() and not out.exists():
            os.rename(old, out)
        raise


def _refuse_strangers(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ConfigError("is no folder", where=str(out), remedy=_REMEDY)
    if out.is_dir() and (out.is_mount() or out.samefile(Path.cwd())):
        message = "is a mounted disk or the folder you are in, which cannot be replaced as a whole"
        raise ConfigError(message, where=str(out), remedy="name a folder inside it, such as " + str(out / "report"))
    try:
        names = {entry.name for entry in out.iterdir()} if out.exists() else set()
    except OSError as error:
        raise _unwritable(out, error) from None
    if names and not _is_report(out):
        raise ConfigError("holds something that is no report of ours", where=str(out), remedy=_REMEDY)
    known = {PAGE, DOCUMENT, "configurations.csv", "frames.csv"}
    if strangers := sorted(names - known):
        message = f"holds {strangers[0]} beside an older report, which would be lost"
        raise ConfigError(message, where=str(out), remedy="move it away, or name a new folder")


def _is_report(out: Path) -> bool:
    try:
        document = json.loads((out / DOCUMENT).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("kind") == KIND


def _unwritable(out: Path, error: OSError) -> ConfigError:
    file = next((parent for parent in out.parents if parent.is_file()), None)
    if file is not None:
        return ConfigError(
            f"the report cannot be written: {file} is a file", where=str(out), remedy="name a folder of your own"
        )
    return ConfigError(
        f"the report cannot be written ({error.strerror or error})", where=str(out), remedy="name a folder of your own"
    )
