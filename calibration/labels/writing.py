"""Labels -> masks as PNG 0/255 in MVTec's layout; the folder appears whole or not at all."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from calibration.labels.items import Labelled, LabelSet
from calibration.progress import Progress, silent
from edge.bundle.image import encode_png
from edge.errors import ConfigError

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")


def write_masks(out: Path, labels: LabelSet, *, with_images: bool = False, progress: Progress = silent) -> int:
    """`ground_truth/KIND/NAME_mask.png` for each bad image whose pixels are known; the number of masks.

    with_images: copy the images to `test/good` and `test/KIND` too, so that the folder is a whole MVTec set. out must not
    exist, or be an empty folder: ConfigError, and nothing is touched. Raises Cancelled if progress does; then nothing
    stays.
    """
    targets = _targets(out, labels, with_images)
    written = 0
    with _new_folder(out) as new:
        for number, (item, mask, copy) in enumerate(targets, 1):
            if copy is not None:
                (new / copy).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(item.path, new / copy)
            truth = item.truth if mask is not None else None
            if mask is not None and truth is not None:
                (new / mask).parent.mkdir(parents=True, exist_ok=True)
                (new / mask).write_bytes(encode_png(truth.astype(np.uint8) * np.uint8(255)))
                written += 1
            progress(number, len(targets), item.path.name)
    return written


def folder_name(kind: str) -> str:
    """A kind of defect as the name of a folder: labels may hold anything, `../` too."""
    return _UNSAFE.sub("_", kind).strip(".")[:64] or "anomaly"


def _targets(out: Path, labels: LabelSet, with_images: bool) -> list[tuple[Labelled, Path | None, Path | None]]:
    """Item, its mask, its copy; names that would meet are a ConfigError."""
    targets: list[tuple[Labelled, Path | None, Path | None]] = []
    taken: dict[str, Path] = {}
    for item in labels.items:
        kind = "good" if item.label == "good" else _bad_name(item.kind)
        mask = Path("ground_truth", kind, f"{item.path.stem}_mask.png") if item.label == "bad" and item.pixels_known else None
        copy = Path("test", kind, item.path.name) if with_images else None
        for target in (mask, copy):
            if target is not None and taken.setdefault(str(target).casefold(), item.path) != item.path:
                what = f"{item.path} and {taken[str(target).casefold()]} would both be {target}"
                raise ConfigError(what, where=str(out), remedy="rename one of the images")
        targets.append((item, mask, copy))
    return targets


def _bad_name(kind: str) -> str:
    """Never the name of the good folder."""
    name = folder_name(kind)
    return f"{name}_" if name.casefold() in ("good", "normal", "ok", "nodefects", "nodefect") else name


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its name if all goes well, and is removed if anything does not."""
    try:
        if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
            raise ConfigError("is there already and not an empty folder", where=str(out), remedy="name a new folder")
        out.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=out.parent))
    except OSError as error:
        raise _unwritable(out, error) from None
    try:
        yield new
        new.chmod(0o755)
        new.rename(out)
    except OSError as error:
        raise _unwritable(out, error) from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _unwritable(out: Path, error: OSError) -> ConfigError:
    where = str(error.filename or out)
    return ConfigError(
        f"cannot be written ({error.strerror})", where=where, remedy="check space and rights; nothing was written"
    )
