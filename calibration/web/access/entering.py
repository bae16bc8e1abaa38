"""Sign-in, sign-out, unlocking, the first admin: what they change, and what the audit log and the log are told."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Final

from fastapi import Request

from calibration.web.access.guard import check_password
from calibration.web.access.passwords import weakness
from calibration.web.access.roles import Role
from calibration.web.access.users import User, sign_in_name
from calibration.web.http.asking import address_of
from calibration.web.http.refusals import Refused
from calibration.web.site import Site
from edge.audit import Action, AuditError

log = logging.getLogger(__name__)

MAX_PERSON: Final = 80
PAGE: Final = "lineclear page"


def enter(site: Site, request: Request, name: str, password: str) -> str:
    """Sign somebody in; the new session's token. Refused: wrong, or tried too often."""
    with suppress(ValueError):
        name = sign_in_name(name)
    user = check_password(site, request, name[:200], password)
    return admit(site, request, user)


def admit(site: Site, request: Request, user: User) -> str:
    """A session for somebody who has shown who they are; its token."""
    token = site.sessions.begin(user.name, address=address_of(request), agent=request.headers.get("user-agent", ""))
    site.users.note_sign_in(user.name)
    note(site, user.person, user.name, "signed in", {"address": address_of(request)})
    return token


def note(site: Site, who: str, name: str, why: str, after: dict[str, object]) -> None:
    """Who came and went, in the audit log. One that cannot be written keeps nobody out: the station must be seen."""
    try:
        site.audit.append(Action.USER, who=who, subject=f"user {name}", why=why, after=after)
    except AuditError as error:
        log.error("page_not_audited user=%s what=%s why=%s", name, why, str(error))


def make_first_admin(site: Site, code: str, name: str, person: str, password: str) -> User:
    """The first admin, for whoever has the code from the box. Refused: not this code, or what was typed is not enough."""
    if not site.first_admin.is_open():
        raise Refused("base.first_closed", 410)
    user = new_user(site, name, person, Role.ADMIN, password)
    with site.first_admin.turn:
        if not site.first_admin.matches(code):
            log.warning("page_first_admin_refused")
            raise Refused("base.first_wrong_code", 403)
        known = site.users.get(user.name)
        if known is None:
            site.users.add(user, password, who=person, why="first admin, by the code from the box")
        else:
            site.users.change(user, who=person, why="admin again, by the code from the box")
            site.users.set_password(user.name, password, who=person, why="by the code from the box")
            site.sessions.end_all(user.name)
            site.lockout.forgive(user.name)
        site.first_admin.done()
    return user


def new_user(site: Site, name: str, person: str, role: Role, password: str) -> User:
    """A user as typed in a form. Refused: a name that can be none, or a password that is too easy."""
    user = User(checked_name(name), checked_person(person), role)
    check_strength(site, password, user)
    return user


def checked_name(name: str) -> str:
    """A sign-in name as it is kept. Refused: it can be none."""
    try:
        return sign_in_name(name)
    except ValueError:
        raise Refused("base.bad_name", 422) from None


def checked_person(person: str) -> str:
    """A person's name: as results and the audit log show it. Refused: empty, too long, or not printable."""
    person = " ".join(person.split())
    if not 2 <= len(person) <= MAX_PERSON or not person.isprintable():
        raise Refused("base.bad_person", 422)
    return person


def check_strength(site: Site, password: str, user: User) -> None:
    """Refused: a password that is too easy for this user."""
    about = (user.name, *user.name.replace("@", ".").split("."), user.person, *user.person.split(), site.name)
    reason = weakness(password, min_length=site.settings.passwords.min_length, about=about)
    if reason is not None:
        raise Refused(reason, 422, least=site.settings.passwords.min_length)
