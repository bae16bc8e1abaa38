"""Every page that a person can open, by name; {result}, {clearance} and {view} stand for ones that there are."""

from __future__ import annotations

from typing import Final

PAGES: Final = {
    "sign-in": "/sign-in",
    "station": "/",
    "clearance": "/clearance",
    "clearance-result": "/clearance/{clearance}",
    "history": "/history",
    "result": "/results/{result}",
    "calibrate": "/calibrate",
    "calibrate-view": "/calibrate/{view}",
    "cards": "/cards/{view}",
    "masks": "/masks/{view}",
    "reference": "/reference/{view}",
    "camera": "/camera/{view}",
    "recipes": "/recipes",
    "users": "/users",
    "me": "/me",
}
PUBLIC: Final = ("sign-in",)
