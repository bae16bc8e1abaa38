"""The labels of a view to take away, and their frames as small pictures with what was drawn."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from calibration.web.history.labels.records import Label
from calibration.web.history.labels.store import LabelError, Labels
from calibration.web.history.lists import cell
from edge.bundle.image import decode_png
from edge.errors import BundleError
from edge.types import ImageU8

_HEADER: Final = (
    "name",
    "label",
    "marked_px",
    "who",
    "at",
    "note",
    "result_id",
    "outcome",
    "score",
    "threshold",
    "decided_at",
    "batch",
)
_PIECE_BYTES: Final = 1 << 18
_BAD_BGR: Final = (167, 121, 204)  # Okabe and Ito's reddish purple, over a black line
_QUALITY: Final = 82


def as_zip(labels: Labels, view: str) -> Iterator[bytes]:
    """The set as it lies on the disk, with `labels.csv`, piece by piece: unpacked, `evaluate --labels` takes it."""
    sink = _Sink()
    folder = labels.folder(view)
    found = list(labels.all(view))
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as target:
        for label in found:
            for path in _files(folder, label):
                inside = f"{view}/{path.relative_to(folder).as_posix()}"
                try:
                    source = path.open("rb")
                except FileNotFoundError:  # taken back meanwhile
                    continue
                with source, target.open(zipfile.ZipInfo(inside), "w", force_zip64=True) as place:
                    while piece := source.read(_PIECE_BYTES):
                        place.write(piece)
                        yield sink.taken()
        target.writestr(zipfile.ZipInfo(f"{view}/labels.csv"), _table(found))
    yield sink.taken()


def picture(labels: Labels, label: Label, max_side_px: int) -> bytes:
    """A JPEG of the labelled frame, what was drawn outlined. LabelError: the file is damaged."""
    folder = labels.folder(label.view)
    path = folder / "test" / label.says / f"{label.name}.png"
    try:
        frame = decode_png(path.read_bytes(), str(path))
    except (BundleError, OSError) as error:
        raise LabelError(
            f"cannot be shown ({error})", where=str(path), remedy="take the label back and label it again"
        ) from None
    shown = _resized(_bgr(frame), max_side_px)
    mask = _drawn(folder / "ground_truth" / "bad" / f"{label.name}_mask.png")
    if mask is not None and label.says == "bad":
        small = cv2.resize(mask, (shown.shape[1], shown.shape[0]), interpolation=cv2.INTER_AREA)
        outlines, _ = cv2.findContours((small > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(shown, outlines, -1, (0, 0, 0), 4)
        cv2.drawContours(shown, outlines, -1, _BAD_BGR, 2)
    return bytes(cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())


def _drawn(path: Path) -> ImageU8 | None:
    """What was drawn as bad, uint8 HxW; None where nothing was, or it cannot be read."""
    try:
        mask = decode_png(path.read_bytes(), str(path))
    except (BundleError, OSError):
        return None
    return mask if mask.ndim == 2 else np.ascontiguousarray(mask.max(axis=2))


def _bgr(frame: ImageU8) -> ImageU8:
    return np.array(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR if frame.ndim == 2 else cv2.COLOR_RGB2BGR), np.uint8)


def _resized(image: ImageU8, max_side_px: int) -> ImageU8:
    height, width = image.shape[:2]
    scale = min(1.0, max_side_px / max(width, height))
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    return image if scale == 1.0 else np.array(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def _files(folder: Path, label: Label) -> list[Path]:
    found = [folder / "test" / label.says / f"{label.name}.png", folder / "about" / f"{label.name}.json"]
    return found + ([folder / "ground_truth" / "bad" / f"{label.name}_mask.png"] if label.marked_px is not None else [])


def _table(found: list[Label]) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(_HEADER)
    for label in found:
        known = [label.result.get(name, "") for name in ("outcome", "score", "threshold", "decided_at", "batch")]
        at = label.at.isoformat() if label.at is not None else ""
        rows.writerow(
            [cell(v) for v in (label.name, label.says, label.marked_px, label.who, at, label.note, label.result_id, *known)]
        )
    return text.getvalue().encode("utf-8", "replace")


class _Sink(io.RawIOBase):
    """A file that is written once from start to end; what was written is taken away piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        return len(piece)

    def taken(self) -> bytes:
        data, self._pieces = b"".join(self._pieces), []
        return data
