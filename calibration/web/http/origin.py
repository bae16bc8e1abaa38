"""Whether a request may come in at all: it calls the page by a name of the page, and what changes something came from there.

`Host` against DNS rebinding; `Origin` and `Sec-Fetch-Site` against forms and scripts of other sites, also before sign-in.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from calibration.web.http.plain import plain_answer

MAX_HEADER_BYTES: Final = 32 * 1024
SAFE: Final = ("GET", "HEAD", "OPTIONS")
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE")


class OwnOrigin:
    """Refuses the rest. hosts: names in lower case, without a port."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await plain_answer(*refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
            return 431, "The headers of this request are too long."
        headers = Headers(scope=scope)
        given = headers.getlist("host")
        if len(given) != 1 or host_of(given[0]) not in self._hosts:
            return (
                421,
                "This page does not go by that name. Whoever looks after the station can add it to its settings: hosts.",
            )
        if scope["method"] not in METHODS:
            return 405, "There is nothing here that is asked for in this way."
        if scope["method"] not in SAFE and not _is_own(headers, scope["scheme"], given[0]):
            return 403, "This was sent by another site, so it was not done."
        return None


def host_of(authority: str) -> str:
    """The name in a Host header: in lower case, without port and brackets. "" if it is none."""
    try:
        return (urlsplit(f"//{authority}").hostname or "") if not set(authority) & set("/@?# \\") else ""
    except ValueError:
        return ""


def _is_own(headers: Headers, scheme: str, host: str) -> bool:
    """Every browser says one of the two with what changes something."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    if origin is not None:
        return origin.lower() == f"{scheme}://{host}".lower()
    return site is not None
