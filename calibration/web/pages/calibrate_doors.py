"""Who may come into the wizard, and what its pages answer with."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from calibration.web.access.guard import Visit, acts, sees, view_of
from calibration.web.access.roles import Right
from calibration.web.http.refusals import Refused
from calibration.web.http.rendering import page
from calibration.web.site import NotFound

__all__ = ["Acts", "NotFound", "Refused", "Right", "Sees", "SeesCards", "Visit", "page", "view_of"]

Sees = Annotated[Visit, Depends(sees(Right.CALIBRATE))]
Acts = Annotated[Visit, Depends(acts(Right.CALIBRATE))]
SeesCards = Annotated[Visit, Depends(sees(Right.SEE))]
