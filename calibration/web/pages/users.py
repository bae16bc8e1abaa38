"""Who may use the page: add, change, switch off, hand out a new password. For admins."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.responses import RedirectResponse, Response

from calibration.web.access import Role, User, one_time_password
from calibration.web.access.entering import checked_name, checked_person
from calibration.web.access.guard import Visit, acts, confirm_password, sees
from calibration.web.access.roles import Right
from calibration.web.http.refusals import Refused
from calibration.web.http.rendering import page
from calibration.web.site import NotFound

router = APIRouter(prefix="/users")
Sees = Annotated[Visit, Depends(sees(Right.USERS))]
Acts = Annotated[Visit, Depends(acts(Right.USERS))]
Text = Annotated[str, Form(max_length=1000)]
Flag = Annotated[bool, Form()]
Names = Annotated[tuple[str, ...], Form(max_length=64)]


@router.get("")
def users(visit: Sees) -> Response:
    """Everybody, with what they may."""
    site = visit.site
    return page(visit, "base/users.html", users=site.users.all(), signed_in_at=site.users.signed_in_at(), roles=list(Role))


@router.get("/new")
def new(visit: Sees) -> Response:
    """The form for one more."""
    return _form(visit, None, 200, "")


@router.post("/new")
def add(
    visit: Acts, name: Text = "", person: Text = "", role: Text = "", may_release: Flag = False, views: Names = ()
) -> Response:
    """One more, with a one-time password that is shown once."""
    typed = User(name.strip()[:64], person.strip()[:80], _role(role), may_release, _views(visit, views), must_change=True)
    try:
        user = replace(typed, name=checked_name(name), person=checked_person(person))
    except Refused as error:
        return _form(visit, typed, error.status, error.text(visit.t), is_new=True)
    password = one_time_password()
    visit.site.users.add(user, password, who=visit.user.person, good_for_s=_good_for_s(visit))
    return _hand_out(visit, user, password)


@router.get("/{name}")
def one(visit: Sees, name: str) -> Response:
    """The form of one user."""
    return _form(visit, _existing(visit, name), 200, "")


@router.post("/{name}")
def change(
    visit: Acts, name: str, person: Text = "", role: Text = "", may_release: Flag = False, active: Flag = False,
    views: Names = (),
) -> Response:  # fmt: skip
    """Name, role, views, whether active. Who loses rights is signed out everywhere."""
    before = _existing(visit, name)
    typed = replace(before, role=_role(role), may_release=may_release, active=active, views=_views(visit, views))
    try:
        changed = replace(typed, person=checked_person(person))
    except Refused as error:
        return _form(visit, typed, error.status, error.text(visit.t))
    visit.site.users.change(changed, who=visit.user.person)
    if changed.name != visit.user.name and (changed.role, changed.active) != (before.role, before.active):
        visit.site.sessions.end_all(changed.name)
    visit.say("ok", "base.user_saved", person=changed.person)
    return RedirectResponse("/users", status_code=303)


@router.post("/{name}/password")
def reset(visit: Acts, name: str, own_password: Text = "") -> Response:
    """A new one-time password, after the admin's own: an unlocked tablet must not be enough."""
    user = _existing(visit, name)
    if user.name == visit.user.name:
        return RedirectResponse("/me/password", status_code=303)
    try:
        confirm_password(visit, own_password)
    except Refused as error:
        return _form(visit, user, error.status, error.text(visit.t))
    password = one_time_password()
    visit.site.users.set_password(
        user.name, password, who=visit.user.person, why="handed out by an admin", good_for_s=_good_for_s(visit)
    )
    visit.site.sessions.end_all(user.name)
    visit.site.lockout.forgive(user.name)
    visit.site.lockout.forget_devices(user.name)
    return _hand_out(visit, user, password)


@router.post("/{name}/remove")
def remove(visit: Acts, name: str) -> Response:
    """One less. What they did stays in results and in the audit log under their name."""
    user = _existing(visit, name)
    if user.name == visit.user.name:
        raise Refused("base.not_yourself", 409)
    visit.site.users.remove(user.name, who=visit.user.person)
    visit.say("ok", "base.user_removed", person=user.person)
    return RedirectResponse("/users", status_code=303)


def _existing(visit: Visit, name: str) -> User:
    user = visit.site.users.get(name)
    if user is None:
        raise NotFound(visit.t("base.no_such_user"), where=name[:64])
    return user


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise Refused("base.error_422", 422, where="role") from None


def _views(visit: Visit, names: tuple[str, ...]) -> tuple[str, ...]:
    """As chosen; all of them is the same as none chosen, so that a view that is added later is seen too."""
    known = visit.site.config.views
    if any(name not in known for name in names):
        raise Refused("base.no_such_view", 422)
    chosen = tuple(name for name in known if name in names)
    return () if len(chosen) == len(known) else chosen


def _good_for_s(visit: Visit) -> float:
    return visit.site.settings.passwords.one_time_h * 3600


def _form(visit: Visit, user: User | None, status: int, problem: str, *, is_new: bool = False) -> Response:
    return page(
        visit, "base/user.html", status=status, person_=user, is_new=is_new or user is None, roles=list(Role),
        views=list(visit.site.config.views), problem=problem,
    )  # fmt: skip


def _hand_out(visit: Visit, user: User, password: str) -> Response:
    return page(visit, "base/handed_out.html", person_=user, password=password, hours=visit.site.settings.passwords.one_time_h)
