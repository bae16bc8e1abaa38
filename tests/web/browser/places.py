"""Every page that a person can open, by name; {result}, {clearance}, {batch} and {view} stand for ones that there are."""

from __future__ import annotations

import re
from typing import Final

PAGES: Final = {
    "sign-in": "/sign-in",
    "station": "/",
    "clearance": "/clearance",
    "clearance-result": "/clearance/{clearance}",
    "history": "/history?outcome=FAIL",
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
MORE: Final = {
    "report": "/clearance/reports/batch?batch={batch}",
    "label": "/results/{result}/label",
    "labels": "/labels",
    "labels-view": "/labels/{view}",
    "diff": "/cards/{view}/diff?before=2&after=3",
    "masks-views": "/masks",
    "reference-views": "/reference",
    "recipe": "/recipes/view/{view}",
    "add-user": "/users/new",
    "user": "/users/viewer",
    "password": "/me/password",
    "nothing-here": "/clearance/none",
}
"""Looked at in one size alone: they are made of the same parts."""
PUBLIC: Final = ("sign-in",)
WALKED: Final = (
    "/first", "/calibrate/{view}/frames", "/calibrate/{view}/model", "/calibrate/{view}/masks", "/calibrate/{view}/thresholds",
    "/calibrate/{view}/preview", "/calibrate/{view}/challenge", "/calibrate/{view}/accept", "/calibrate/{view}/done",
    "/clearance/orders/{request_id}",
)  # fmt: skip
"""Seen on the guide's walk."""
IN_BETWEEN: Final = ("/unlock", "/history/exports/{job_id}", "/recipes/incoming/{token}", "/reference/{view}/candidate/{name}",
                     "/reference/{view}/making/{job_id}", "/masks/{view}/check/{job_id}")  # fmt: skip
"""Pages of a moment, of which the areas' own tests look at what they say."""
NO_PAGE: Final = re.compile(
    r"\.(json|jsonl|csv|zip|npz|jpg|png|pdf|html)$|^/(events|station/live|jobs/)|/(thumbnail|frame|overlay|picture|document|density"
    r"|at|zip|export|count)$|/(good|bad|known|changed)/|/looks/"
)
"""Pictures, data and what scripts ask for."""
