"""The wizard's pictures, each looked up in a list of ours: frames, known frames, the reference, what the preview changes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from calibration.web.pages.calibrate_doors import NotFound, Sees
from calibration.web.pages.calibrate_turn import bench_for
from calibration.web.wizard.collecting import tally
from calibration.web.wizard.known_bad import bad_frames
from calibration.web.wizard.pictures import LARGE_PX, SMALL_PX, reduced, reduced_file
from calibration.web.wizard.proving import known_frame, overlay_of

router = APIRouter()
Name = Annotated[str, Path(max_length=80)]


@router.get("/calibrate/{view}/good/{file}")
def good(visit: Sees, view: str, file: Name, large: bool = False) -> Response:
    """One collected frame."""
    bench = bench_for(visit, view)
    if file not in tally(bench.desk.good).frames:
        raise NotFound(visit.t("calibrate.no_such_picture"))
    return _jpeg(reduced_file(bench.desk.good / file, LARGE_PX if large else SMALL_PX), kept=True)


@router.get("/calibrate/{view}/bad/{file}")
def bad(visit: Sees, view: str, file: Name, large: bool = False) -> Response:
    """One known bad frame."""
    bench = bench_for(visit, view)
    if file not in bad_frames(bench.desk.bad):
        raise NotFound(visit.t("calibrate.no_such_picture"))
    return _jpeg(reduced_file(bench.desk.bad / file, LARGE_PX if large else SMALL_PX), kept=True)


@router.get("/calibrate/{view}/known/{file}")
def known(visit: Sees, view: str, file: Name, large: bool = False) -> Response:
    """One frame of the recipe's challenge."""
    image = known_frame(bench_for(visit, view).in_force(), file)
    if image is None:
        raise NotFound(visit.t("calibrate.no_such_picture"))
    return _jpeg(reduced(image, LARGE_PX if large else SMALL_PX), kept=True)


@router.get("/calibrate/{view}/reference.jpg")
def reference(visit: Sees, view: str) -> Response:
    """What every frame is laid on."""
    return _jpeg(reduced(bench_for(visit, view).in_force().reference, LARGE_PX))


@router.get("/calibrate/{view}/changed/{number}")
def changed(visit: Sees, view: str, number: Annotated[int, Path(ge=0, le=100_000)], large: bool = False) -> Response:
    """The overlay of one verdict that would change."""
    path = overlay_of(bench_for(visit, view), number)
    if path is None:
        raise NotFound(visit.t("calibrate.no_such_picture"))
    return _jpeg(reduced_file(path, LARGE_PX if large else SMALL_PX))


def _jpeg(data: bytes, *, kept: bool = False) -> Response:
    """kept: a picture of this name never becomes another one within a calibration."""
    headers = {"Cache-Control": "private, max-age=600"} if kept else {}
    return Response(data, media_type="image/jpeg", headers=headers)
