"""What each request passes before a route sees it, in order, and what each answer gets on its way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from calibration.web.access.cookies import SESSION, cookie_name
from calibration.web.http.bodies import Bodies, UploadRoutes
from calibration.web.http.headers import Headers
from calibration.web.http.origin import OwnOrigin
from calibration.web.http.rates import Rates
from calibration.web.settings import PageSettings


def inner_layers(
    settings: PageSettings, uploads: Callable[[Scope], UploadRoutes], is_in: Callable[[Scope], bool]
) -> list[Middleware]:
    """Inside the answer to unexpected errors: whose request, how often, how much."""
    return [
        Middleware(OwnOrigin, hosts=settings.allowed_hosts),
        Middleware(Rates, limits=settings.limits, session=cookie_name(SESSION, settings)),
        Middleware(Bodies, limits=settings.limits, uploads=uploads, is_in=is_in),
    ]


def outer_layers(app: ASGIApp, settings: PageSettings) -> ASGIApp:
    """Outside of it: headers also around an error page, and who is behind the proxy, from that proxy alone."""
    if settings.behind_proxy is None:
        return Headers(app, settings)
    headers: Any = Headers(app, settings)
    proxied: Any = ProxyHeadersMiddleware(headers, trusted_hosts=list(settings.behind_proxy.trusted))

    async def outermost(scope: Scope, receive: Receive, send: Send) -> None:
        await proxied(scope, receive, send)

    return outermost
