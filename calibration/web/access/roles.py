"""Who may do what in the page."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Role(str, Enum):
    """Each includes what the one before may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    TECHNICIAN = "technician"
    ADMIN = "admin"


class Right(str, Enum):
    """What a page or an action asks for."""

    SEE = "see"
    CLEAR = "clear"
    LABEL = "label"
    RELEASE = "release"
    CALIBRATE = "calibrate"
    RECIPES = "recipes"
    USERS = "users"


_VIEWER: Final = frozenset({Right.SEE})
_OPERATOR: Final = _VIEWER | {Right.CLEAR, Right.LABEL}
_TECHNICIAN: Final = _OPERATOR | {Right.CALIBRATE, Right.RECIPES}
_ADMIN: Final = _TECHNICIAN | {Right.USERS}
_RIGHTS: Final = {Role.VIEWER: _VIEWER, Role.OPERATOR: _OPERATOR, Role.TECHNICIAN: _TECHNICIAN, Role.ADMIN: _ADMIN}


def allows(role: Role, right: Right, *, may_release: bool) -> bool:
    """Whether a role has a right. Release is a person's own, on top of a role that clears: who sets thresholds should not
    also release.
    """
    if right is Right.RELEASE:
        return may_release and Right.CLEAR in _RIGHTS[role]
    return right in _RIGHTS[role]
