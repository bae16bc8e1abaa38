"""Label files of the tools: read, put together, held against their images."""

from __future__ import annotations

from pathlib import Path

from calibration.labels import coco, labelme, via
from calibration.labels.assembling import Entry, assemble
from calibration.labels.images import ImageFolder
from calibration.labels.items import Format, LabelSet, Problem
from calibration.labels.kinds import label_files
from calibration.progress import Progress
from edge.errors import ConfigError


def read_files(source: Path, images: Path | None, kind: Format, progress: Progress) -> LabelSet:
    """One label file, or a folder of labelme files. ConfigError if the source as a whole cannot be read."""
    folder = ImageFolder(images or (source if source.is_dir() else source.parent))
    files = label_files(source) if source.is_dir() else [source]
    if not files:
        raise ConfigError("holds no label file", where=str(source), remedy="labels are .json or .csv files")
    if kind != "labelme" and len(files) > 1:
        raise ConfigError(f"holds {len(files)} label files", where=str(source), remedy="name one of them")
    entries: list[Entry] = []
    problems: list[Problem] = []
    for file in files:
        try:
            found = _entries(file, kind)
        except ConfigError as error:
            if len(files) == 1:
                raise
            problems.append(Problem(str(file), "", error.message, error.remedy))
            continue
        entries += found[0]
        problems += found[1]
    read = assemble(entries, folder, kind, progress)
    return LabelSet(read.items, (*problems, *read.problems), kind)


def _entries(file: Path, kind: Format) -> tuple[list[Entry], list[Problem]]:
    if kind == "labelme":
        return [labelme.read_labelme(file)], []
    if kind == "coco":
        return coco.read_coco(file)
    return via.read_csv(file) if file.suffix.lower() == ".csv" else via.read_json(file)
