"""Any source of labels -> LabelSet."""

from __future__ import annotations

from pathlib import Path

from calibration.labels import folders
from calibration.labels.files import read_files
from calibration.labels.items import Format, LabelSet
from calibration.labels.kinds import format_of
from calibration.progress import Progress, silent
from edge.errors import ConfigError


def read_labels(
    source: Path,
    images: Path | None = None,
    format: Format | None = None,
    progress: Progress = silent,
    *,
    mask_threshold: int | None = None,
) -> LabelSet:
    """Every labelled image of a source, and every problem; the images are not decoded and may be thousands.

    source: a label file (VIA, COCO, labelme) or a folder (labelme files, MVTec's layout, good and bad folders, masks).
    images: the folder of the images, for label files and mask folders; by default the label file's own.
    mask_threshold: grey value from which a mask picture marks, for masks with soft edges; none by default.
    format: needed only where the source itself does not say it. Raises Cancelled if progress does, and ConfigError if the
    source as a whole cannot be read; what is wrong with a part of it stands in `problems`.
    """
    if not source.exists():
        raise ConfigError("no such file or folder", where=str(source), remedy="check the path")
    kind = format or format_of(source, images)
    if mask_threshold is not None and not 1 <= mask_threshold <= 65535:
        raise ConfigError(f"is {mask_threshold}", where="mask threshold", remedy="write a grey value from 1 to 65535")
    labels = _read(kind, source, images, mask_threshold, progress)
    if not labels.items and not labels.problems:
        raise ConfigError(f"holds no label ({kind})", where=str(source), remedy="check the path, or name its format")
    return labels


def _read(kind: Format, source: Path, images: Path | None, threshold: int | None, progress: Progress) -> LabelSet:
    if kind in ("via", "coco", "labelme"):
        return read_files(source, images, kind, progress)
    if not source.is_dir():
        raise ConfigError("is a file, not a folder", where=str(source), remedy="name the folder")
    if kind == "masks":
        if images is None or images == source:
            remedy = "name the folder of their images with --images"
            raise ConfigError("is a folder of masks", where=str(source), remedy=remedy)
        return folders.read_masks(source, images, threshold, progress)
    if images is not None:
        raise ConfigError("holds its own images", where=str(source), remedy="leave --images out")
    read = folders.read_mvtec if kind == "mvtec" else folders.read_good_bad
    return read(source, threshold, progress)
