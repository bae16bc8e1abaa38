"""What a request tells about who asks: page or script, in which language, from where."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

from fastapi import Request

from calibration.web.language import LANGUAGES, preferred
from calibration.web.site import site_of

LANGUAGE_COOKIE: Final = "language"
THEME_COOKIE: Final = "theme"
THEMES: Final = ("auto", "light", "dark")
BACKGROUND: Final = "x-lineclear-background"
"""A script that asks by itself says so: it keeps no session awake."""


def wants_json(request: Request) -> bool:
    """True for our scripts, which ask for JSON; a browser that goes to a page asks for HTML."""
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def is_navigation(request: Request) -> bool:
    """True if a person went to a page, or sent a form; false for pictures, streams and what scripts fetch by themselves."""
    if BACKGROUND in request.headers:
        return False
    if request.method not in ("GET", "HEAD"):
        return True
    mode = request.headers.get("sec-fetch-mode")
    return mode == "navigate" if mode else "text/html" in request.headers.get("accept", "")


def language_of(request: Request) -> str:
    """The language of whoever is signed in, else of the browser, else the page's."""
    visit = getattr(request.state, "visit", None)
    if visit is not None:
        return str(visit.language)
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    return preferred(request.headers.get("accept-language", ""), site_of(request).settings.language)


def theme_of(request: Request) -> str:
    """Light, dark, or as the device has it."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "auto"


def address_of(request: Request) -> str:
    """Where the request came from."""
    return request.client.host if request.client is not None else ""


def local_path(text: str) -> str:
    """`text` if it is a path of this page, else `/`: a link must not lead somebody elsewhere."""
    if not text.startswith("/") or text.startswith("//") or "\\" in text or any(ord(c) < 0x21 or ord(c) == 0x7F for c in text):
        return "/"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc or len(text) > 2000 else text


def with_next(path: str, back: str) -> str:
    """A path that leads back afterwards."""
    return f"{path}?next={quote(local_path(back), safe='/')}"
