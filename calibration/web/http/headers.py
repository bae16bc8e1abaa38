"""Headers of every answer, also of errors: what a browser may do with it, and that nothing about the server is told."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from calibration.web.settings import PageSettings

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
FIXED: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with that, browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Origin-Agent-Cluster": "?1",
    "X-Permitted-Cross-Domain-Policies": "none",
    "Permissions-Policy": (
        "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), "
        "encrypted-media=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=(), "
        "serial=(), hid=(), publickey-credentials-get=(), screen-wake-lock=(self), fullscreen=(self)"
    ),
}
OWN: Final = ("Content-Security-Policy", "X-Frame-Options")


class Headers:
    """Puts them on; what a route said itself about caching stands."""

    def __init__(self, app: ASGIApp, settings: PageSettings) -> None:
        self._app = app
        self._fixed = dict(FIXED)
        if settings.tls is not None and settings.tls.hsts_days:
            self._fixed["Strict-Transport-Security"] = f"max-age={settings.tls.hsts_days * 86_400}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._fixed.items():
                    if name in OWN:  # a route may be stricter about what it shows, as the batch report is
                        headers.setdefault(name, value)
                    else:
                        headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)
