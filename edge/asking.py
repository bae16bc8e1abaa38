"""What commands work on: the running station, handed to them part by part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge.archive import ArchiveReader
from edge.cameras.adjustments import Adjustments
from edge.changeover import Changeover
from edge.clearance import Clearances, Snapshot, read_order, read_review
from edge.commands import Clearing, Eyes, Looking, Parts, Selecting, SnapshotPictures, camera_handlers
from edge.config import StationConfig
from edge.loop import AskedFor, Station, view_state
from edge.trail import Trail


@dataclass(frozen=True, eq=False)
class Inside:
    """The running station that the outside works on."""

    station: Station
    clearances: Clearances
    changeover: Changeover
    trail: Trail
    archive: Path
    adjustments: Adjustments
    keeper: AskedFor


def command_parts(
    inside: Inside,
    config: StationConfig,
    painter: SnapshotPictures,
    running: Callable[[], str | None],
    now: Callable[[], datetime],
) -> Parts:
    """The station as commands see it. running: request_id of the clearance at work."""
    asked, clearances, changeover = config.clearance, inside.clearances, inside.changeover
    return Parts(
        audit=inside.trail.change,
        looking=Looking(
            inside.station,
            lambda: [view_state(view) for view in inside.station.views.values()],
            lambda: changeover.selected.product,
            running,
            painter,
            lambda result_id, view, at: clearances.note_snapshot(Snapshot(result_id, view, at)),
            ArchiveReader(inside.archive),
            inside.keeper,
        ),
        clearing=Clearing(
            order=lambda data: clearances.request(read_order(data, "cmd/clearance", asked, now()).request()),
            review=lambda data: clearances.review(read_review(data, "cmd/review", asked, now())),
            cancel=clearances.cancel,
            challenge=clearances.challenge,
        ),
        selecting=Selecting(changeover.select, changeover.reload),
        views=inside.station.views,
        reload=changeover.reload,
        more=camera_handlers(Eyes(inside.station.views, inside.adjustments, changeover.set_camera, inside.trail.change, now)),
    )
