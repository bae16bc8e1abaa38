"""Which format a source has: decided by its folders and keys, never by trying one reader after another."""

from __future__ import annotations

from pathlib import Path

from calibration.labels import coco, labelme, via
from calibration.labels.assembling import BAD_WORDS, GOOD_WORDS, plain
from calibration.labels.documents import label_json
from calibration.labels.items import FORMATS, Format
from edge.errors import ConfigError


def format_of(source: Path, images: Path | None) -> Format:
    """The format of a file or folder. ConfigError if it says none."""
    return _kind_of_folder(source, images) if source.is_dir() else _kind_of_file(source)


def _kind_of_file(source: Path) -> Format:
    if source.suffix.lower() == ".csv":
        return "via"
    if source.suffix.lower() != ".json":
        raise ConfigError("is no label file", where=str(source), remedy="labels are .json or .csv files, or a folder")
    document = label_json(source)
    if labelme.looks_like_labelme(document):
        return "labelme"
    if coco.looks_like_coco(document):
        return "coco"
    if via.looks_like_via(document):
        return "via"
    remedy = f"name its format: {', '.join(FORMATS[:3])}"
    raise ConfigError("has the keys of no known label file", where=str(source), remedy=remedy)


def _kind_of_folder(source: Path, images: Path | None) -> Format:
    if (source / "test").is_dir():
        return "mvtec"
    if any(path.is_dir() and plain(path.name) in GOOD_WORDS | BAD_WORDS for path in source.iterdir()):
        return "good-bad"
    files = label_files(source)
    if len(files) == 1:
        return _kind_of_file(files[0])
    if len(files) > 1 and all(file.suffix.lower() == ".json" for file in files):
        return "labelme"
    if files:
        raise ConfigError(f"holds {len(files)} label files", where=str(source), remedy="name one of them")
    if images is not None:
        return "masks"
    remedy = "wanted: test/, good and bad folders, a .json or .csv file, or masks with --images"
    raise ConfigError("holds no labels", where=str(source), remedy=remedy)


def label_files(source: Path) -> list[Path]:
    """The files of a folder that may hold labels. ConfigError if it cannot be listed."""
    try:
        return sorted(path for path in source.iterdir() if path.suffix.lower() in (".json", ".csv") and path.is_file())
    except OSError as error:
        raise ConfigError(f"cannot be listed ({error.strerror})", where=str(source), remedy="check the path") from None
