"""What a route asks before it answers: who is this, may they, and did their own page send it."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from calibration.web.access.cookies import SESSION, cookie_name
from calibration.web.access.roles import Right, Role
from calibration.web.access.sessions import Session
from calibration.web.access.users import User
from calibration.web.http.asking import address_of, is_navigation, language_of
from calibration.web.http.refusals import Refused, SignInNeeded
from calibration.web.site import NotFound, Site, site_of
from edge.config import ViewConfig
from edge.errors import LineclearError

CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "x-csrf-token"
MUST_CHANGE: Final = "/me/password"
WITH_ONE_TIME: Final = (MUST_CHANGE, "/sign-out", "/me/language", "/me/theme", "/me/alive")


@dataclass(frozen=True)
class Visit:
    """One request of somebody who is signed in."""

    user: User
    csrf: str
    language: str
    site: Site
    session: Session
    request: Request

    def t(self, key: str, /, **values: Any) -> str:
        """A text in the reader's language."""
        return self.site.words.say(self.language, key, **values)

    def say(self, kind: str, key: str, /, **values: Any) -> None:
        """What the next page shows, once. kind: ok, info, warning or error."""
        self.site.sessions.say(self.session.id, kind, self.t(key, **values))

    def is_in(self) -> bool:
        """Whether the session still stands: for answers that take long. False once it ended or is locked."""
        session = self.site.sessions.get(self.session.id)
        user = self.site.users.get(self.user.name)
        return session is not None and user is not None and user.active and not is_locked(self.site, session, user)


def is_locked(site: Site, session: Session, user: User) -> bool:
    """True if the password must be given again."""
    return session.locked and (user.role is not Role.VIEWER or site.settings.sessions.viewers_lock)


def session_of(request: Request) -> tuple[Session, User] | None:
    """Who sent this, locked or not; None for nobody."""
    site = site_of(request)
    token = request.cookies.get(cookie_name(SESSION, site.settings))
    session = site.sessions.find(token) if token else None
    user = site.users.get(session.user) if session is not None else None
    if session is None or user is None or not user.active:
        return None
    return session, user


def visit_of(request: Request) -> Visit:
    """The visit of a request. SignInNeeded: nobody is signed in, or the session is locked."""
    found = session_of(request)
    if found is None:
        raise SignInNeeded
    session, user = found
    site = site_of(request)
    if is_locked(site, session, user):
        raise SignInNeeded("/unlock", locked=True)
    if is_navigation(request):
        site.sessions.touch(session)
    visit = Visit(user, session.csrf, user.language or language_of(request), site, session, request)
    request.state.visit = visit
    if user.must_change and request.url.path not in WITH_ONE_TIME:
        raise SignInNeeded(MUST_CHANGE)
    return visit


def visit_if_any(request: Request) -> Visit | None:
    """The visit where there is one that is neither locked nor told to change its password: for error pages."""
    known: Visit | None = getattr(request.state, "visit", None)
    if known is not None:
        return known
    with suppress(LineclearError):
        return visit_of(request)
    return None


def sees(right: Right = Right.SEE) -> Callable[..., Visit]:
    """For GET: a session and a right. Nobody signed in: the sign-in page; too little right: 403."""

    def visit(request: Request) -> Visit:
        found = visit_of(request)
        _need(found, right)
        return found

    return visit


def acts(right: Right) -> Callable[..., Visit]:
    """For whatever changes something: a session, a right, and the token that only a page of this session knows."""

    def visit(request: Request, given: Annotated[str, Depends(_given_token)]) -> Visit:
        found = visit_of(request)
        if not hmac.compare_digest(given.encode("utf-8", "replace"), found.csrf.encode()):
            raise Refused("base.stale_form", 403)
        _need(found, right)
        return found

    return visit


def view_of(visit: Visit, view: str) -> ViewConfig:
    """The config of a view. NotFound, in the same words, for one that there is not and one that this person may not see."""
    found = visit.site.config.views.get(view)
    if found is None or not visit.user.may_see(view):
        raise NotFound(visit.t("base.no_such_view"), where=view[:80])
    return found


def confirm_password(visit: Visit, password: str) -> None:
    """The person at the screen is who signed in. Refused: not this password, or too many wrong ones."""
    check_password(visit.site, visit.request, visit.user.name, password)


def check_password(site: Site, request: Request, name: str, password: str) -> User:
    """The user of a name and password; wrong ones are counted and make wait. Refused: not these."""
    device = request.cookies.get(cookie_name("device", site.settings), "")
    subjects = site.lockout.subjects(name, address_of(request), device)
    wait = site.lockout.wait_s(subjects)
    if wait > 0:
        raise Refused("base.too_many_tries", 429, seconds=max(1, round(wait)))
    user = site.users.check(name, password)
    if user is None:
        site.lockout.failed(subjects)
        raise Refused("base.wrong_password", 403)
    site.lockout.succeeded(subjects)
    return user


async def _given_token(request: Request) -> str:
    header = request.headers.get(CSRF_HEADER)
    if header is not None:
        return header
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return ""
    value = (await request.form()).get(CSRF_FIELD)
    return value if isinstance(value, str) else ""


def _need(visit: Visit, right: Right) -> None:
    if not visit.user.may(right):
        raise Refused("base.not_allowed", 403)
