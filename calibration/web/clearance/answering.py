"""The first thing that speaks against releasing a view, asked once more when the form comes in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from calibration.web.clearance.known import Known
from calibration.web.clearance.office import Office
from calibration.web.clearance.releasing import Circumstances, why_no_release, why_unseen

Objection = tuple[str, Mapping[str, Any]]
"""A message's key and its values; the key is "" where nothing speaks against it."""


def objection(
    office: Office, known: Known, view: str, snapshot: str, around: Circumstances, who: str, now: datetime
) -> Objection:
    """who: the sign-in name of the person who would answer. snapshot: the live frame that their form names."""
    judged = next((each for each in known.clearance.views if each.view == view), None)
    if judged is None:
        return "clearance.no_release.not_in_it", {}
    review = office.site.config.clearance.review
    hindrances = why_no_release(known.clearance, judged, around, review, now)
    if hindrances:
        return f"clearance.no_release.{hindrances[0].code}", hindrances[0].values
    look = office.looks.of(who, view)
    if look is not None and look.snapshot_id != snapshot:
        return "clearance.no_look.other", {}
    unseen = why_unseen(known.clearance, judged, look.looked if look is not None else None, review, now)
    return (f"clearance.no_look.{unseen}", {"limit": f"{review.snapshot_max_age_min:g}"}) if unseen else ("", {})
