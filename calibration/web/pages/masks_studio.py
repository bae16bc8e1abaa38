"""Who is at the masks of which view: what every route of the masks page asks first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request

from calibration.web.access.guard import Visit, acts, sees, view_of
from calibration.web.access.roles import Right
from calibration.web.history.labels.store import Labels
from calibration.web.masking.studio import Studio
from calibration.web.site import Site

LABELS: Final = "labels"
Technician = Annotated[Visit, Depends(sees(Right.CALIBRATE))]


@dataclass(frozen=True)
class Seat:
    """One request of somebody who may draw masks on this view."""

    visit: Visit
    studio: Studio


def studio_of(site: Site, view: str) -> Studio:
    """The masks of a configured view, for the product in force."""
    return Studio(view, site.recipe(view), site.config, Labels(site.folder / LABELS, site.audit))


def _seen(view: str, visit: Technician) -> Seat:
    return _seat(visit, view)


def _acted(view: str, visit: Annotated[Visit, Depends(acts(Right.CALIBRATE))]) -> Seat:
    return _seat(visit, view)


def _seat(visit: Visit, view: str) -> Seat:
    view_of(visit, view)
    return Seat(visit, studio_of(visit.site, view))


async def _sent(request: Request) -> bytes:
    return await request.body()


Seeing = Annotated[Seat, Depends(_seen)]
Drawing = Annotated[Seat, Depends(_acted)]
Sent = Annotated[bytes, Depends(_sent)]
