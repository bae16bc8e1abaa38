"""The page's cookies: which session, and which browsers a user signed in on before."""

from __future__ import annotations

from typing import Final, Literal

from starlette.responses import Response

from calibration.web.settings import PageSettings

SESSION: Final = "session"
DEVICE: Final = "device"
DEVICE_DAYS: Final = 180
Name = Literal["session", "device"]


def cookie_name(name: Name, settings: PageSettings) -> str:
    """With TLS a browser takes it only from this very host, by https, for all of the page (`__Host-`)."""
    return f"__Host-lineclear-{name}" if settings.is_secure else f"lineclear-{name}"


def set_cookie(response: Response, name: Name, value: str, settings: PageSettings, *, max_age_s: int | None = None) -> None:
    """Scripts cannot read it, and other sites cannot make a browser send it."""
    response.set_cookie(
        cookie_name(name, settings),
        value,
        max_age=max_age_s,
        path="/",
        secure=settings.is_secure,
        httponly=True,
        samesite="strict",
    )


def drop_cookie(response: Response, name: Name, settings: PageSettings) -> None:
    """The browser forgets it."""
    response.delete_cookie(cookie_name(name, settings), path="/", secure=settings.is_secure, httponly=True, samesite="strict")


def set_choice(response: Response, name: str, value: str, settings: PageSettings) -> None:
    """A choice of language or theme: nothing that must be kept from anybody."""
    response.set_cookie(
        name, value, max_age=365 * 86_400, path="/", secure=settings.is_secure, httponly=True, samesite="strict"
    )
