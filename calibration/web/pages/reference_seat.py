"""Who sees to which view's reference and camera: what every route of these pages asks first, and what they share."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import Depends
from starlette.responses import Response

from calibration.web.access.guard import Visit, acts, sees, view_of
from calibration.web.access.roles import Right
from calibration.web.reference.bench import Candidates
from edge.errors import LineclearError
from edge.recipe import Recipe, Trust, load_recipe

RELOAD_S: Final = 60.0


@dataclass
class Paces:
    """When somebody last had a picture taken of a view: a page that asks without end must not keep the station busy."""

    last_s: dict[tuple[str, str], float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_s(self, who: str, view: str, least_s: float) -> float:
        """0 if it may be now, and then it counts; else how long to wait."""
        now = time.monotonic()
        with self.lock:
            left = self.last_s.get((who, view), float("-inf")) + least_s - now
            if left <= 0:
                self.last_s[who, view] = now
            return max(0.0, left)


@dataclass(frozen=True)
class Seat:
    """One request of a technician about one view."""

    visit: Visit
    view: str

    def recipe(self, version: int | None = None) -> Recipe:
        """The recipe in force, or another version of it. LineclearError: it cannot be used."""
        site = self.visit.site
        return load_recipe(site.recipe(self.view), version, view=self.view, trust=self.trust)

    @property
    def trust(self) -> Trust | None:
        """What proves the station's recipes."""
        return Trust.of(self.visit.site.config.trust)

    def recipe_or_why(self) -> tuple[Recipe | None, LineclearError | None]:
        """For pages that have something to show without one."""
        try:
            return self.recipe(), None
        except LineclearError as error:
            return None, error

    @property
    def candidates(self) -> Candidates:
        """The pictures that may become references."""
        state = self.visit.request.app.state
        if not hasattr(state, "reference_candidates"):
            state.reference_candidates = Candidates()
        found: Candidates = state.reference_candidates
        return found

    @property
    def paces(self) -> Paces:
        """How often pictures are taken."""
        state = self.visit.request.app.state
        if not hasattr(state, "camera_paces"):
            state.camera_paces = Paces()
        found: Paces = state.camera_paces
        return found

    def reload(self, why: str) -> None:
        """Ask the station to use what was saved, and tell the person what came of it: saved it is either way."""
        try:
            self.visit.site.link.ask("reload", {"who": self.visit.user.person, "why": why}, timeout_s=RELOAD_S)
        except LineclearError as error:
            self.visit.say("warning", "camera.reload_failed", why=error.message, remedy=error.remedy)
        else:
            self.visit.say("ok", "camera.reload_done")


def image_response(data: bytes, *, kept: bool = False) -> Response:
    """A JPEG. kept: its address names what can never change."""
    keep = "private, max-age=86400, immutable" if kept else "no-store"
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": keep})


def _seen(view: str, visit: Annotated[Visit, Depends(sees(Right.CALIBRATE))]) -> Seat:
    view_of(visit, view)
    return Seat(visit, view)


def _acted(view: str, visit: Annotated[Visit, Depends(acts(Right.CALIBRATE))]) -> Seat:
    view_of(visit, view)
    return Seat(visit, view)


Technician = Annotated[Visit, Depends(sees(Right.CALIBRATE))]
Seeing = Annotated[Seat, Depends(_seen)]
Acting = Annotated[Seat, Depends(_acted)]
