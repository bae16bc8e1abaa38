"""What is handed to the archive and what is found in it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from edge.errors import LineclearError
from edge.types import Homography, ImageU8, MapF32, MaskBool, Outcome

Kind = Literal["verdict", "clearance"]
Keep = Literal["pass", "undecided", "fail", "clearance"]
# What is given up first where there is no room comes first.
KEEPS: tuple[Keep, ...] = ("pass", "undecided", "fail", "clearance")
DOCUMENT, FRAME, OVERLAY, MAP = "document", "frame", "overlay", "map"


class ArchiveError(LineclearError):
    """Evidence that cannot be read: no archive there, an index that is damaged, a file that is gone or was changed."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """One result with all that shows why it is what it is.

    document: the JSON body as published. frame: uint8 HxWx3 RGB or HxW as grabbed. anomaly_map: float32 HxW, raw scores on
    the map's own grid; judged: bool of the same shape, what of it was judged; map_to_reference: 3x3 from map to reference
    pixels. overlay: gives (file bytes, content type image/jpeg or image/png); called in the archive's thread, so it must
    not look into a camera's ring. outcome: PASS, FAIL, UNDECIDED, or a clearance's. reason: its code, "" without one.
    Texts may be anything, line breaks and slashes included. ValueError: a time without a zone.
    """

    result_id: str
    kind: Kind
    outcome: str
    reason: str
    decided_at: datetime
    document: Mapping[str, Any]
    view: str = ""
    batch: str = ""
    product: str = ""
    clearance_id: str | None = None
    request_id: str = ""
    recipe: str = ""
    recipe_version: int | None = None
    score: float | None = None
    threshold: float | None = None
    frame: ImageU8 | None = None
    anomaly_map: MapF32 | None = None
    judged: MaskBool | None = None
    map_to_reference: Homography | None = None
    overlay: Callable[[], tuple[bytes, str]] | None = None

    def __post_init__(self) -> None:
        if self.decided_at.tzinfo is None:
            raise ValueError(f"{self.decided_at!r} has no time zone")

    @property
    def keep(self) -> Keep:
        """Which rule of retention it falls under."""
        return keep_of(self.kind, self.outcome, self.clearance_id)


def keep_of(kind: str, outcome: str, clearance_id: str | None) -> Keep:
    """The rule of retention: all that belongs to a clearance is kept as the clearance is, an outcome not known as FAIL is."""
    if kind == "clearance" or clearance_id is not None:
        return "clearance"
    if outcome == Outcome.PASS.value:
        return "pass"
    return "undecided" if outcome == Outcome.UNDECIDED.value else "fail"


@dataclass(frozen=True)
class Entry:
    """One result in the archive.

    files: "frame", "overlay", "map", "document" -> name of the file in `folder`; what was not handed in is absent.
    sha256 and size_bytes: of each of them as it was written.
    """

    result_id: str
    kind: Kind
    view: str
    outcome: str
    reason: str
    decided_at: datetime
    batch: str
    product: str
    clearance_id: str | None
    request_id: str
    recipe: str
    recipe_version: int | None
    score: float | None
    threshold: float | None
    folder: Path
    files: Mapping[str, str]
    sha256: Mapping[str, str] = field(default_factory=dict)
    size_bytes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class StoredMap:
    """A map as it was judged, on its own grid.

    scores: float32 HxW, raw; stored as float16, so each value is within 1/2048 of itself. judged: bool HxW.
    map_to_reference: float64 3x3, map to reference pixels. Read-only.
    """

    scores: MapF32
    judged: MaskBool
    map_to_reference: Homography
