"""Sign in and out, unlock, and the first admin by the code from the box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from calibration.web.access.cookies import DEVICE, DEVICE_DAYS, SESSION, cookie_name, drop_cookie, set_choice, set_cookie
from calibration.web.access.entering import admit, enter, make_first_admin, note
from calibration.web.access.guard import MUST_CHANGE, check_password, is_locked, session_of
from calibration.web.http.asking import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, language_of, local_path, wants_json, with_next
from calibration.web.http.refusals import Refused
from calibration.web.http.rendering import plain_page
from calibration.web.language import LANGUAGES
from calibration.web.site import Site, site_of

router = APIRouter()
TheSite = Annotated[Site, Depends(site_of)]
Text = Annotated[str, Form(max_length=1000)]


@router.get("/sign-in")
def sign_in_page(request: Request, site: TheSite, next: str = "/") -> Response:
    """Name and password; where there is nobody yet, the way to the first admin."""
    found = session_of(request)
    if found is not None:
        return RedirectResponse(with_next("/unlock", next) if is_locked(site, *found) else local_path(next), status_code=303)
    if not site.users.has_admin():
        return RedirectResponse("/first", status_code=303)
    return plain_page(request, "base/sign_in.html", next=local_path(next), name="", problem="")


@router.post("/sign-in")
def sign_in(
    request: Request, site: TheSite, name: Text = "", password: Text = "",
    next: Annotated[str, Form(max_length=4000)] = "/",
) -> Response:  # fmt: skip
    """Begin a session; always under a new token."""
    try:
        token = enter(site, request, name, password)
    except Refused as error:
        if wants_json(request):
            raise
        problem = error.text(_say(request))
        return plain_page(
            request, "base/sign_in.html", status=error.status, next=local_path(next), name=name[:64], problem=problem
        )
    return _entered(request, site, token, local_path(next))


@router.get("/unlock")
def unlock_page(request: Request, site: TheSite, next: str = "/") -> Response:
    """The password again, where nothing was touched for a while."""
    found = session_of(request)
    if found is None:
        return RedirectResponse(with_next("/sign-in", next), status_code=303)
    if not is_locked(site, *found):
        return RedirectResponse(local_path(next), status_code=303)
    return plain_page(
        request, "base/unlock.html", next=local_path(next), person=found[1].person, csrf=found[0].csrf, problem=""
    )


@router.post("/unlock")
def unlock(
    request: Request,
    site: TheSite,
    password: Text = "",
    next: Annotated[str, Form(max_length=4000)] = "/",
) -> Response:
    """Go on where it was left. The session stays the same, so a page that is open keeps what was not saved."""
    found = session_of(request)
    if found is None:
        if wants_json(request):
            raise Refused("base.error_401", 401)
        return RedirectResponse(with_next("/sign-in", next), status_code=303)
    session, user = found
    try:
        check_password(site, request, user.name, password)
    except Refused as error:
        if wants_json(request):
            raise
        context = {"next": local_path(next), "person": user.person, "csrf": session.csrf, "problem": error.text(_say(request))}
        return plain_page(request, "base/unlock.html", status=error.status, **context)
    site.sessions.unlock(session)
    return JSONResponse({"unlocked": True}) if wants_json(request) else RedirectResponse(local_path(next), status_code=303)


@router.post("/sign-out")
def sign_out(request: Request, site: TheSite) -> Response:
    """End this session, locked or not. Only this page's own origin can send it."""
    found = session_of(request)
    if found is not None:
        site.sessions.end(found[0].id)
        note(site, found[1].person, found[1].name, "signed out", {})
    response = RedirectResponse("/sign-in", status_code=303)
    drop_cookie(response, SESSION, site.settings)
    # What a shared tablet still holds of the last user's pages goes too.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@router.get("/first")
def first_page(request: Request, site: TheSite) -> Response:
    """Name, password and the code, while a code is out."""
    if site.users.has_admin() and not site.first_admin.is_open():
        return RedirectResponse("/sign-in", status_code=303)
    return _first(request, site, 200, "", "", "")


@router.post("/first")
def first(
    request: Request, site: TheSite, code: Text = "", name: Text = "", person: Text = "", password: Text = "", again: Text = ""
) -> Response:
    """Make the first admin, and sign in."""
    try:
        if password != again:
            raise Refused("base.password_not_same", 422)
        user = make_first_admin(site, code, name, person, password)
    except Refused as error:
        return _first(request, site, error.status, name[:64], person[:80], error.text(_say(request)))
    return _entered(request, site, admit(site, request, user), "/users")


@router.post("/choose")
def choose(
    site: TheSite,
    language: Text = "",
    theme: Text = "",
    next: Annotated[str, Form(max_length=4000)] = "/",
) -> Response:
    """Language and theme of this browser, also before anybody signs in."""
    response = RedirectResponse(local_path(next), status_code=303)
    if language in LANGUAGES:
        set_choice(response, LANGUAGE_COOKIE, language, site.settings)
    if theme in THEMES:
        set_choice(response, THEME_COOKIE, theme, site.settings)
    return response


def _first(request: Request, site: Site, status: int, name: str, person: str, problem: str) -> Response:
    return plain_page(
        request, "base/first.html", status=status, name=name, person=person, problem=problem,
        open=site.first_admin.is_open(), file=str(site.first_admin.file), least=site.settings.passwords.min_length,
    )  # fmt: skip


def _entered(request: Request, site: Site, token: str, path: str) -> Response:
    session = site.sessions.find(token)
    user = site.users.get(session.user) if session is not None else None
    if user is not None and user.must_change:
        path = MUST_CHANGE
    response: Response = RedirectResponse(path, status_code=303)
    if wants_json(request):
        response = JSONResponse({"path": path})
    set_cookie(response, SESSION, token, site.settings)
    device = request.cookies.get(cookie_name(DEVICE, site.settings), "")
    if user is not None and not (device and site.lockout.knows(user.name, device)):
        set_cookie(response, DEVICE, site.lockout.know(user.name), site.settings, max_age_s=DEVICE_DAYS * 86_400)
    return response


def _say(request: Request) -> Callable[..., str]:
    say, language = site_of(request).words.say, language_of(request)
    return lambda key, **values: say(language, key, **values)
