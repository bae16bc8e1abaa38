"""One label as it lies on the disk: where its files are, and the record of who said what, when, of which result."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, Literal

from calibration.web.history.labels.drawing import DrawingError, Shape, read_shapes
from edge.archive import Entry

SCHEMA: Final = "lineclear/page-label/1"
FRAME: Final = "frame"
_KEPT: Final = ("view", "outcome", "reason", "batch", "product", "recipe", "recipe_version", "score", "threshold")

Says = Literal["good", "bad"]
LABELS: Final[tuple[Says, ...]] = ("good", "bad")


@dataclass(frozen=True)
class Label:
    """One labelled frame. name: of its files. marked_px: how many pixels were drawn, None where nothing was.

    result: what was known of the result when it was labelled, {} where that record is lost.
    """

    name: str
    view: str
    says: Says
    note: str = ""
    who: str = ""
    at: datetime | None = None
    result_id: str = ""
    size_wh: tuple[int, int] = (0, 0)
    shapes: tuple[Shape, ...] = ()
    marked_px: int | None = None
    result: dict[str, Any] = field(default_factory=dict)


def name_of(entry: Entry) -> str:
    """What the files of a frame's label are called: the same bytes have the same name."""
    return entry.sha256[FRAME][:32]


def mask_path(folder: Path, name: str) -> Path:
    """Where what was drawn on a frame lies."""
    return folder / "ground_truth" / "bad" / f"{name}_mask.png"


def record_of(
    entry: Entry, says: Says, who: str, note: str, at: datetime, size_wh: tuple[int, int], shapes: tuple[Shape, ...],
    marked_px: int | None,
) -> dict[str, Any]:  # fmt: skip
    """What is kept beside a labelled frame."""
    return {
        "schema": SCHEMA,
        "label": says,
        "note": note,
        "who": who,
        "at": at.astimezone(timezone.utc).isoformat(),
        "result_id": entry.result_id,
        "frame_sha256": entry.sha256[FRAME],
        "size_wh": list(size_wh),
        "marked_px": marked_px,
        "result": {**{name: getattr(entry, name) for name in _KEPT}, "decided_at": entry.decided_at.isoformat()},
        "shapes": [shape.model_dump(mode="json") for shape in shapes],
    }


def read_label(folder: Path, view: str, name: str, says: Says) -> Label:
    """The place says what the frame is; the record what else is known. One that a crash left out is an empty one."""
    marked = mask_path(folder, name).is_file() and says == "bad"
    try:
        about = json.loads((folder / "about" / f"{name}.json").read_bytes())
        if about["label"] != says:
            raise ValueError("left over")
        width, height = about["size_wh"]
        return Label(
            name,
            view,
            says,
            note=str(about["note"]),
            who=str(about["who"]),
            at=datetime.fromisoformat(about["at"]),
            result_id=str(about["result_id"]),
            size_wh=(int(width), int(height)),
            shapes=read_shapes(json.dumps(about["shapes"])) if marked else (),
            marked_px=about["marked_px"] if marked else None,
            result=dict(about["result"]),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError, DrawingError):
        return Label(name, view, says, marked_px=0 if marked else None)


def short(label: Label | None) -> dict[str, Any] | None:
    """A label in the audit log."""
    if label is None:
        return None
    return {
        "label": label.says,
        "marked_px": label.marked_px,
        "frame": label.name,
        "result_id": label.result_id[:200],
        "who": label.who,
    }
