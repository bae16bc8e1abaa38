"""What the station page shows: what was heard, held against what may still be believed. No HTTP here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from calibration.web.site import Site
from calibration.web.station.doubts import Doubt, Limits
from calibration.web.station.showing import Shown, show

__all__ = ["Doubt", "Limits", "Shown", "digest", "limits_of", "show", "show_to"]


def show_to(site: Site, may_see: Callable[[str], bool]) -> Shown:
    """The page's contents now."""
    limits = limits_of(site)
    return show(site.mirror.now(), datetime.now(timezone.utc), limits, may_see)


def limits_of(site: Site) -> Limits:
    """How long what this station says is current."""
    fresh = site.settings.freshness
    return Limits(
        result=timedelta(minutes=fresh.result_min),
        clearance=timedelta(minutes=fresh.clearance_min),
        health_s=site.config.health.interval_s,
    )


def digest(shown: Shown) -> str:
    """Changes whenever the page must be shown anew; that the station was heard again is no such change."""
    return hashlib.sha256(repr(replace(shown, heard_at=None)).encode()).hexdigest()[:16]
