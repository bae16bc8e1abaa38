"""The page's parts, as its header names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from calibration.web.access.roles import Right


@dataclass(frozen=True)
class Place:
    """One entry of the navigation. key: of its name. right: who sees it. others: paths that belong to it too."""

    path: str
    key: str
    right: Right
    others: tuple[str, ...] = ()


PLACES: Final = (
    Place("/", "base.nav_station", Right.SEE),
    Place("/clearance", "base.nav_clearance", Right.SEE),
    Place("/history", "base.nav_history", Right.SEE, ("/results", "/labels")),
    Place("/calibrate", "base.nav_calibrate", Right.CALIBRATE, ("/cards",)),
    Place("/masks", "base.nav_masks", Right.CALIBRATE),
    Place("/reference", "base.nav_reference", Right.CALIBRATE, ("/camera",)),
    Place("/recipes", "base.nav_recipes", Right.SEE),
    Place("/users", "base.nav_users", Right.USERS),
)


def is_here(place: Place, path: str) -> bool:
    """True if a path belongs to this part."""
    return any(path == own or (own != "/" and path.startswith(f"{own}/")) for own in (place.path, *place.others))
