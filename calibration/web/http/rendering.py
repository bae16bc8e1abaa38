"""Templates into pages: escaped by default, in the reader's language and the station's time zone."""

from __future__ import annotations

import importlib.metadata
from datetime import datetime, timezone
from functools import cache, partial
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from calibration.web.access.guard import Visit, visit_if_any
from calibration.web.http.asking import language_of, theme_of
from calibration.web.http.assets import asset
from calibration.web.http.navigation import PLACES, is_here
from calibration.web.language import LANGUAGES
from calibration.web.site import Site, site_of

FOLDER: Final = Path(__file__).resolve().parent.parent / "templates"
_FORMS: Final = {"en": "%Y-%m-%d %H:%M:%S", "de": "%d.%m.%Y %H:%M:%S", "it": "%d/%m/%Y %H:%M:%S"}


@cache
def environment() -> Environment:
    """Every value is escaped, and a name that nobody set is an error, not a gap."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(asset=asset, version=importlib.metadata.version("lineclear"), languages=LANGUAGES)
    return made


def page(visit: Visit, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page for somebody who is signed in. It shows what was said to the session, once."""
    site = visit.site
    said = visit.session.said
    if said:
        site.sessions.heard(visit.session.id)
    path = visit.request.url.path
    places = [place for place in PLACES if visit.user.may(place.right)]
    nav = [(place.path, visit.t(place.key), is_here(place, path)) for place in places if place.path in _served(visit.request)]
    return _render(
        visit.request, template, status, visit.language,
        {
            "visit": visit, "user": visit.user, "csrf": visit.csrf, "nav": nav, "said": said,
            "idle_left_s": int(site.sessions.idle_left_s(visit.session)), **context,
        },
    )  # fmt: skip


def plain_page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page that nobody need be signed in for; with the usual header for somebody who is."""
    visit = visit_if_any(request)
    if visit is not None and not visit.user.must_change:
        return page(visit, template, status=status, **context)
    bare: dict[str, Any] = {"visit": None, "user": None, "csrf": "", "nav": [], "said": (), "idle_left_s": 0}
    return _render(request, template, status, language_of(request), {**bare, **context})


def local(site: Site, language: str, moment: datetime | float | None) -> Markup:
    """A time for people, in the station's zone, with the zone; for machines in `datetime`. A dash for None."""
    if moment is None:
        return Markup("–")
    moment = datetime.fromtimestamp(moment, timezone.utc) if isinstance(moment, int | float) else moment
    zoned = in_zone(site, moment)
    text = f"{zoned.strftime(_FORMS.get(language, _FORMS['en']))} {zoned.tzname() or ''}".strip()
    return Markup('<time datetime="{}">{}</time>').format(zoned.isoformat(timespec="seconds"), text)


def figure(language: str, value: float, digits: int = 3) -> str:
    """A number with so many digits that matter, and the language's decimal mark."""
    is_plain = value == 0 or 1e-3 <= abs(value) < 1e6
    text = f"{value:.{digits}g}" if is_plain else f"{value:.2e}"
    if is_plain and "e" in text:
        text = f"{value:.0f}"
    return text if language == "en" else text.replace(".", ",")


def in_zone(site: Site, moment: datetime) -> datetime:
    """The same moment in the station's time zone."""
    zone = site.settings.time_zone
    return moment.astimezone(ZoneInfo(zone) if zone else None)


def _render(request: Request, template: str, status: int, language: str, context: dict[str, Any]) -> HTMLResponse:
    site = site_of(request)
    html = environment().get_template(template).render(
        {
            "t": partial(site.words.say, language), "site": site, "language": language, "theme": theme_of(request),
            "station": site.name, "now": datetime.now(timezone.utc), "local": partial(local, site, language),
            "figure": partial(figure, language), "request_path": request.url.path, **context,
        }
    )  # fmt: skip
    return HTMLResponse(html, status_code=status)


def _served(request: Request) -> frozenset[str]:
    served: frozenset[str] = request.app.state.served
    return served
