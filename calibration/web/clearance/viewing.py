"""What the picture viewer shows of one result, and what of it is not there."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from calibration.web.clearance.judged_by import JudgedBy, Versions
from calibration.web.clearance.pictures import SMALL_PX, frame_jpeg, placed
from edge.archive import ArchiveError, Entry
from edge.archive.evidence import FRAME, MAP, OVERLAY
from edge.errors import BundleError, RecipeError

if TYPE_CHECKING:
    from calibration.web.clearance.looks import Look
    from calibration.web.link.mirror import Picture
    from calibration.web.site import Site

VERSIONS: Final = Versions()
"""A version of a recipe never changes once it is saved, so all requests share what was proven of it."""


ARCHIVED_S: Final = 2.0
"""A live frame is waited for so long; then the station's small painted picture stands in for it."""
_LOOK_EVERY_S: Final = 0.05


@dataclass(frozen=True)
class ShownRegion:
    """One region, in pixels of the picture that is shown."""

    number: int
    x: float
    y: float
    width: float
    height: float
    area_px: float | None
    peak: float | None


@dataclass(frozen=True)
class Shown:
    """One result in the viewer. Addresses are "" where there is nothing to show.

    size_wh: of the shown pixels: the reference's where the frame lies on it (registered), else the frame's own, (0, 0) if
    nobody knows. frame_kind: frame, or overlay where only the painted picture is there. notes: keys of messages
    `viewer.note.KEY` that say what is missing. awaits: the evidence may still be on its way to the disk.
    """

    result_id: str
    view: str
    outcome: str
    size_wh: tuple[int, int]
    frame_url: str = ""
    frame_kind: str = "frame"
    full_url: str = ""
    reference_url: str = ""
    heat_url: str = ""
    registered: bool = False
    score: float | None = None
    threshold: float | None = None
    pixel_threshold: float | None = None
    regions: tuple[ShownRegion, ...] = ()
    region_count: int = 0
    notes: tuple[str, ...] = ()
    awaits: bool = False


def shown_of(site: Site, result_id: str, document: Mapping[str, Any] | None = None) -> Shown:
    """The viewer of a verdict. document: its `lineclear/result/1` body, where it is at hand. Never raises for what is missing.

    The right to see the view is the caller's to check.
    """
    entry = entry_of(site, result_id)
    if entry is None:
        return _from_the_air(site, result_id, document)
    try:
        body = site.archive.document(entry)
    except ArchiveError:
        body = dict(document or {})
    judged_by = _judged_by(site, body, entry)
    return _archived(entry, body, judged_by)


def live_of(site: Site, look: Look) -> Shown:
    """The viewer of a live frame: with reference and heat map once it is archived, before that the station's small picture.

    Its picture is always fetched by an address of its own, which notes that it was looked at.
    """
    url = f"/clearance/looks/{quote(look.snapshot_id, safe='')}"
    entry = entry_of(site, look.snapshot_id)
    if entry is not None and FRAME in entry.files:
        return replace(shown_of(site, look.snapshot_id), frame_url=url, notes=())
    kind = look.picture.kind if look.picture is not None else "frame"
    return Shown(look.snapshot_id, look.view, look.outcome, (0, 0), url, kind, notes=("from_mqtt",))


def await_archived(site: Site, result_id: str, wait_s: float = ARCHIVED_S) -> bool:
    """True once the archive has the frame; it writes just after the answer. False where it takes longer, or keeps nothing."""
    if not site.config.archive.enabled:
        return False
    until, pause = time.monotonic() + wait_s, threading.Event()
    while True:
        entry = entry_of(site, result_id)
        if entry is not None and FRAME in entry.files:
            return True
        if time.monotonic() >= until:
            return False
        pause.wait(_LOOK_EVERY_S)


def live_picture(site: Site, look: Look, heard: Picture) -> tuple[bytes, str]:
    """The live frame, and its content type: the archived one where it is there by now, else the picture that was heard."""
    entry = entry_of(site, look.snapshot_id)
    if entry is not None and FRAME in entry.files:
        return laid_frame(site, entry, SMALL_PX), "image/jpeg"
    return heard.data, heard.content_type


def entry_of(site: Site, result_id: str) -> Entry | None:
    """What the archive has of it, None if nothing, or if there is no archive."""
    try:
        return site.archive.get(result_id)
    except ArchiveError:
        return None


def judged_by_of(site: Site, entry: Entry, body: Mapping[str, Any]) -> JudgedBy:
    """The recipe version that judged it. RecipeError, BundleError: it is not there any more."""
    return VERSIONS.of(site.config, body, entry.product)


def laid_frame(site: Site, entry: Entry, width: int) -> bytes:
    """The archived frame as the viewer shows it, a JPEG. ArchiveError: it cannot be read."""
    body, image = site.archive.document(entry), site.archive.frame(entry)
    judged_by = _judged_by(site, body, entry)
    if judged_by is None:
        return frame_jpeg(image, placed({}), (image.shape[1], image.shape[0]), width)
    return frame_jpeg(image, placed(body), judged_by.size_wh, width)


def _judged_by(site: Site, body: Mapping[str, Any], entry: Entry) -> JudgedBy | None:
    try:
        return judged_by_of(site, entry, body)
    except (RecipeError, BundleError):
        return None


def _archived(entry: Entry, body: Mapping[str, Any], judged_by: JudgedBy | None) -> Shown:
    base = f"/viewer/{quote(entry.result_id, safe='')}"
    place, notes = placed(body), []
    registered = place.to_reference is not None and judged_by is not None and FRAME in entry.files
    frame_url, kind, full_url = "", "frame", ""
    if FRAME in entry.files:
        frame_url, full_url = f"{base}/frame.jpg?width=small", f"{base}/frame.jpg?width=full"
    elif OVERLAY in entry.files:
        frame_url, kind = f"{base}/overlay", "overlay"
        notes.append("no_frame")
    else:
        notes.append("no_picture")
    if judged_by is None:
        notes.append("no_recipe")
    elif FRAME in entry.files and not registered:
        notes.append("not_registered")
    has_heat = registered and MAP in entry.files and body.get("threshold") is not None
    if registered and not has_heat:
        notes.append("no_map")
    size_wh = judged_by.size_wh if judged_by is not None else (0, 0)
    return Shown(
        entry.result_id,
        entry.view,
        entry.outcome,
        size_wh,
        frame_url,
        kind,
        full_url,
        f"{base}/reference.jpg?width=small" if judged_by is not None else "",
        f"{base}/heat.png" if has_heat else "",
        registered,
        _number(body.get("score")),
        _number(body.get("threshold")),
        _number(body.get("pixelThreshold")),
        regions_of(body, "box" if registered else "frameBox") if kind == "frame" else (),
        int(body.get("regionCount") or 0),
        tuple(notes),
    )


def _from_the_air(site: Site, result_id: str, document: Mapping[str, Any] | None) -> Shown:
    """Nothing is archived: what came over MQTT, as far as it is still at hand."""
    disabled = not site.config.archive.enabled
    notes = ["archive_off" if disabled else "not_archived"]
    body: Mapping[str, Any] = document or {}
    heard = tuple(site.mirror.now().views.values())
    for now in heard:
        if not body and now.result is not None and now.result.get("resultId") == result_id:
            body = now.result
    view = str(body.get("view") or "")
    pictures = (site.mirror.picture(each, result_id) for each in site.config.views)
    picture = next((found for found in pictures if found is not None), None)
    notes.append("no_picture" if picture is None else "from_mqtt")
    return Shown(
        result_id,
        view,
        str(body.get("outcome") or ""),
        (0, 0),
        f"/viewer/{quote(result_id, safe='')}/overlay" if picture is not None else "",
        picture.kind if picture is not None else "frame",
        score=_number(body.get("score")),
        threshold=_number(body.get("threshold")),
        pixel_threshold=_number(body.get("pixelThreshold")),
        notes=tuple(notes),
        awaits=not disabled,
    )


def regions_of(body: Mapping[str, Any], box: str) -> tuple[ShownRegion, ...]:
    """The listed regions of a result's body; box: `box` in reference pixels, `frameBox` in the frame's."""
    found = []
    regions = body.get("regions")
    for number, region in enumerate(regions if isinstance(regions, list) else [], 1):
        sides = [_number(region[box].get(side)) for side in ("x", "y", "width", "height")]
        if None not in sides:
            x, y, width, height = (side or 0.0 for side in sides)
            found.append(ShownRegion(number, x, y, width, height, _number(region.get("areaPx")), _number(region.get("peak"))))
    return tuple(found)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) else None
