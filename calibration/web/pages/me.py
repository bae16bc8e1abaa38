"""What belongs to whoever is signed in: password, language, theme, where else they are signed in."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from calibration.web.access.cookies import SESSION, set_choice, set_cookie
from calibration.web.access.entering import admit, check_strength, note
from calibration.web.access.guard import Visit, acts, confirm_password, sees
from calibration.web.access.roles import Right
from calibration.web.http.asking import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, local_path
from calibration.web.http.refusals import Refused
from calibration.web.http.rendering import page
from calibration.web.language import LANGUAGES

router = APIRouter(prefix="/me")
Sees = Annotated[Visit, Depends(sees())]
Acts = Annotated[Visit, Depends(acts(Right.SEE))]
Text = Annotated[str, Form(max_length=1000)]


@router.get("")
def me(visit: Sees) -> Response:
    """The person's own page."""
    return _me(visit)


@router.get("/password")
def password_page(visit: Sees) -> Response:
    """Only the password: where a handed-out one must be changed before anything else."""
    return _password(visit, 200, "")


@router.post("/password")
def change_password(request: Request, visit: Acts, old: Text = "", password: Text = "", again: Text = "") -> Response:
    """A new password; every other session of this person ends, and this one gets a new token."""
    try:
        confirm_password(visit, old)
        if password != again:
            raise Refused("base.password_not_same", 422)
        if password == old:
            raise Refused("base.password_same_as_before", 422)
        check_strength(visit.site, password, visit.user)
    except Refused as error:
        return _password(visit, error.status, error.text(visit.t))
    site, user = visit.site, visit.user
    site.users.set_password(user.name, password, who=user.person, why="changed by the person")
    site.sessions.end_all(user.name)
    token = admit(site, request, user)
    renewed = site.sessions.find(token)
    if renewed is not None:
        site.sessions.say(renewed.id, "ok", visit.t("base.password_changed"))
    response = RedirectResponse("/me", status_code=303)
    set_cookie(response, SESSION, token, site.settings)
    return response


@router.post("/language")
def change_language(visit: Acts, language: Text = "") -> Response:
    """The person's language, on every device."""
    if language not in LANGUAGES:
        raise Refused("base.error_422", 422)
    visit.site.users.change(replace(visit.user, language=language), who=visit.user.person, why="language, by the person")
    response = RedirectResponse("/me", status_code=303)
    set_choice(response, LANGUAGE_COOKIE, language, visit.site.settings)
    return response


@router.post("/theme")
def change_theme(visit: Acts, theme: Text = "", next: Annotated[str, Form(max_length=4000)] = "/me") -> Response:
    """Light or dark, on this device."""
    if theme not in THEMES:
        raise Refused("base.error_422", 422)
    response = RedirectResponse(local_path(next), status_code=303)
    set_choice(response, THEME_COOKIE, theme, visit.site.settings)
    return response


@router.post("/sign-out-everywhere")
def sign_out_everywhere(visit: Acts) -> Response:
    """End every other session of this person."""
    ended = visit.site.sessions.end_all(visit.user.name, but=visit.session.id)
    visit.site.lockout.forget_devices(visit.user.name)
    note(visit.site, visit.user.person, visit.user.name, "signed out everywhere else", {"sessions": ended})
    visit.say("ok", "base.signed_out_elsewhere", count=ended)
    return RedirectResponse("/me", status_code=303)


@router.post("/lock")
def lock(visit: Acts) -> Response:
    """Lock at once, for somebody who walks away."""
    visit.site.sessions.lock(visit.session)
    return RedirectResponse("/unlock", status_code=303)


@router.post("/alive")
def alive(visit: Acts) -> Response:
    """A script tells that somebody touched the page; how long until it is locked."""
    session = visit.site.sessions.get(visit.session.id) or visit.session
    return JSONResponse({"idle_left_s": int(visit.site.sessions.idle_left_s(session))})


def _me(visit: Visit) -> Response:
    return page(visit, "base/me.html", sessions=visit.site.sessions.of(visit.user.name), problem="", least=_least(visit))


def _password(visit: Visit, status: int, problem: str) -> Response:
    return page(visit, "base/password.html", status=status, problem=problem, least=_least(visit))


def _least(visit: Visit) -> int:
    return visit.site.settings.passwords.min_length
