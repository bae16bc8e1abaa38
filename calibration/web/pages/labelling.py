"""Labels: say of a frame that it is good, bad, or what of it is bad; the list of what was said; the set to take away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response, StreamingResponse

from calibration.web.access.guard import Visit, view_of
from calibration.web.history.labels import (
    MAX_JSON_CHARS,
    MAX_NOTE,
    MAX_POINTS,
    MAX_SHAPES,
    DrawingError,
    Label,
    as_zip,
    picture,
)
from calibration.web.http.bodies import takes_uploads
from calibration.web.http.refusals import Refused
from calibration.web.http.rendering import page
from calibration.web.http.wording import in_one
from calibration.web.pages.history_parts import Asking, Doing, Seeing, labels_of, may_label, not_found, stored
from edge.archive import FRAME, Entry

router = APIRouter()
ON_A_PAGE: Final = 48
_PX: Final = {"small": 240, "full": 1600}


@dataclass(frozen=True)
class ViewLabels:
    """What was said of one view's frames."""

    view: str
    good: int
    bad: int
    drawn: int


@router.get("/results/{result_id}/label")
def form(visit: Asking, result_id: str) -> Response:
    """The frame to draw on."""
    return _form(visit, _labelled(visit, result_id), 200, "", None)


@router.post("/results/{result_id}/label")
@takes_uploads
def give(
    visit: Doing,
    result_id: str,
    says: Annotated[Literal["good", "bad", "drawn"], Form()],
    note: Annotated[str, Form(max_length=4 * MAX_NOTE)] = "",
    drawn: Annotated[str, Form(max_length=MAX_JSON_CHARS)] = "",
) -> Response:
    """Keep what was said, and go back to the result."""
    entry = _labelled(visit, result_id)
    if says == "drawn" and drawn.strip() in ("", "[]"):
        return _form(visit, entry, 422, visit.t("history.label_draw_first"), (says, note, ""))
    word: Literal["good", "bad"] = "good" if says == "good" else "bad"
    try:
        labels_of(visit.site).give(
            visit.site.archive, entry, word, visit.user.person, note=note, drawn=drawn if says == "drawn" else ""
        )
    except DrawingError as error:
        return _form(visit, entry, 422, in_one(visit.site.words, visit.language, error), (says, note, drawn))
    visit.say("ok", f"history.label_kept_{says}")
    return RedirectResponse(f"/results/{quote(result_id, safe='')}", status_code=303)


@router.get("/labels")
def overview(visit: Seeing) -> Response:
    """All views, with how many of their frames are labelled."""
    labels = labels_of(visit.site)
    views = [view for view in visit.site.config.views if visit.user.may_see(view)]
    return page(visit, "history/labels.html", views=[ViewLabels(view, **labels.counts(view)) for view in views])


@router.get("/labels/{view}")
def of_view(visit: Seeing, view: str, start: int = 0) -> Response:
    """The labelled frames of a view, the newest label first."""
    view_of(visit, view)
    labels = labels_of(visit.site)
    names = labels.names(view)
    start = min(max(0, start), max(0, len(names) - 1)) // ON_A_PAGE * ON_A_PAGE
    found = [label for name in names[start : start + ON_A_PAGE] if (label := labels.get(view, name)) is not None]
    return page(
        visit,
        "history/label_list.html",
        view=view,
        labels=found,
        counts=labels.counts(view),
        start=start,
        total=len(names),
        step=ON_A_PAGE,
        folder=str(labels.folder(view)),
        may_label=may_label(visit),
    )


@router.get("/labels/{view}/set.zip")
def label_set(visit: Seeing, view: str) -> Response:
    """Frames, masks and who said what, as `lineclear-calibrate evaluate` takes it."""
    view_of(visit, view)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''labels-{quote(view, safe='')}.zip"}
    return StreamingResponse(as_zip(labels_of(visit.site), view), media_type="application/zip", headers=headers)


@router.get("/labels/{view}/{name}/picture")
def label_picture(visit: Seeing, view: str, name: str, width: Literal["small", "full"] = "small") -> Response:
    """A labelled frame with what was drawn."""
    label = _label(visit, view, name)
    data = picture(labels_of(visit.site), label, _PX[width])
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, no-cache"})


@router.post("/labels/{view}/{name}/remove")
def take_back(visit: Doing, view: str, name: str, back: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Nothing is said of this frame any more. back: the result to go back to, else the list."""
    label = _label(visit, view, name)
    labels_of(visit.site).take_back(view, name, visit.user.person, visit.t("history.label_taken_back"))
    visit.say("ok", "history.label_removed")
    is_there = back and back == label.result_id
    return RedirectResponse(
        f"/results/{quote(back, safe='')}" if is_there else f"/labels/{quote(view, safe='')}", status_code=303
    )


def _labelled(visit: Visit, result_id: str) -> Entry:
    """A verdict of a view of this station that has a frame."""
    entry = stored(visit, result_id)
    if entry.kind != "verdict" or FRAME not in entry.files:
        raise Refused("history.label_no_frame", 409, remedy=visit.t("history.label_no_frame_do"))
    view_of(visit, entry.view)
    return entry


def _label(visit: Visit, view: str, name: str) -> Label:
    view_of(visit, view)
    label = labels_of(visit.site).get(view, name)
    if label is None:
        raise not_found(visit, "history.no_label", name)
    return label


def _form(visit: Visit, entry: Entry, status: int, problem: str, sent: tuple[str, str, str] | None) -> Response:
    """sent: what was chosen, the note and the drawing, where they came back with a problem."""
    label = labels_of(visit.site).of(entry)
    shapes = "[" + ",".join(shape.model_dump_json() for shape in label.shapes) + "]" if label is not None else "[]"
    known = ("drawn" if label.marked_px else label.says, label.note, shapes) if label is not None else ("", "", "[]")
    says, note, drawn = sent or known
    return page(
        visit,
        "history/label.html",
        status=status,
        entry=entry,
        label=label,
        problem=problem,
        says=says,
        note=note,
        drawn=drawn or "[]",
        size_wh=labels_of(visit.site).size_wh(visit.site.archive, entry),
        max_note=MAX_NOTE,
        max_points=MAX_POINTS,
        max_shapes=MAX_SHAPES,
    )
