"""Users in the database, and what the audit log says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.web.access import Database, PageDatabaseError, Right, Role, User, UserRefused, Users, sign_in_name
from edge.audit import AuditError, AuditLog, entries
from tests.web.access.clocks import Clock
from tests.web.parts import PASSWORD, cheap_passwords

ANNA = User("anna", "Anna Meier", Role.ADMIN)
OTTO = User("otto", "Otto Braun", Role.OPERATOR, may_release=True, views=("feeder",), language="de")


@pytest.fixture
def users(database: Database, tmp_path: Path, clock: Clock) -> Users:
    return Users(database, cheap_passwords(), AuditLog(tmp_path / "audit"), clock)


def test_what_was_added_is_found_again_and_only_its_owner_reads_the_file(users: Users, tmp_path: Path) -> None:
    assert not users.has_admin()
    users.add(ANNA, PASSWORD, who="the box")
    users.add(OTTO, PASSWORD, who="Anna Meier")
    assert users.all() == [ANNA, OTTO]
    assert users.get("otto") == OTTO
    assert users.get("nobody") is None
    assert users.has_admin()
    for file in (tmp_path / "page").iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_the_right_password_and_nothing_else(users: Users) -> None:
    users.add(OTTO, PASSWORD, who="t")
    assert users.check("otto", PASSWORD) == OTTO
    assert users.check("otto", "another one") is None
    assert users.check("nobody", PASSWORD) is None
    users.change(replace(OTTO, active=False), who="t")
    assert users.check("otto", PASSWORD) is None


def test_every_change_is_in_the_audit_log_and_no_password_is(users: Users, tmp_path: Path) -> None:
    users.add(ANNA, PASSWORD, who="the box")
    users.add(OTTO, PASSWORD, who="Anna Meier")
    users.change(replace(OTTO, role=Role.TECHNICIAN), who="Anna Meier", why="new duties")
    users.change(replace(OTTO, role=Role.TECHNICIAN), who="Anna Meier", why="the same again")
    users.set_password("otto", "ein anderes Wort", who="Otto Braun", why="changed by the person")
    users.remove("otto", who="Anna Meier")
    found = list(entries(tmp_path / "audit"))
    assert [(entry.who, entry.subject, entry.why) for entry in found] == [
        ("the box", "user anna", "added"),
        ("Anna Meier", "user otto", "added"),
        ("Anna Meier", "user otto", "new duties"),
        ("Otto Braun", "user otto", "changed by the person"),
        ("Anna Meier", "user otto", "removed"),
    ]
    assert (found[2].before["role"], found[2].after["role"]) == ("operator", "technician")
    written = "".join(path.read_text() for path in (tmp_path / "audit").glob("*.jsonl"))
    assert PASSWORD not in written
    assert "argon2" not in written


def test_what_cannot_be_audited_is_not_done(database: Database, tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("a file where the folder belongs")
    users = Users(database, cheap_passwords(), AuditLog(tmp_path / "audit"))
    with pytest.raises(AuditError):
        users.add(ANNA, PASSWORD, who="t")
    assert users.all() == []


def test_the_only_admin_stays(users: Users) -> None:
    users.add(ANNA, PASSWORD, who="t")
    users.add(OTTO, PASSWORD, who="t")
    for change in (
        lambda: users.remove("anna", who="t"),
        lambda: users.change(replace(ANNA, active=False), who="t"),
        lambda: users.change(replace(ANNA, role=Role.TECHNICIAN), who="t"),
    ):
        with pytest.raises(UserRefused, match="only admin"):
            change()
    users.change(replace(OTTO, role=Role.ADMIN), who="t")
    users.remove("anna", who="t")
    assert [user.name for user in users.all()] == ["otto"]


def test_no_name_twice_and_nobody_who_is_not_there(users: Users) -> None:
    users.add(ANNA, PASSWORD, who="t")
    with pytest.raises(UserRefused, match="taken"):
        users.add(replace(ANNA, role=Role.VIEWER), PASSWORD, who="t")
    for change in (lambda: users.remove("x", who="t"), lambda: users.change(OTTO, who="t")):
        with pytest.raises(UserRefused, match="no such user"):
            change()


def test_a_password_that_was_handed_out_must_be_changed_and_expires(users: Users, clock: Clock) -> None:
    users.add(replace(OTTO, must_change=True), PASSWORD, who="t", good_for_s=100)
    found = users.check("otto", PASSWORD)
    assert found is not None
    assert found.must_change
    clock.on(101)
    assert users.check("otto", PASSWORD) is None
    users.set_password("otto", PASSWORD, who="t", why="again", good_for_s=100)
    users.set_password("otto", "ein eigenes Wort", who="Otto Braun", why="own")
    clock.on(1000)
    own = users.check("otto", "ein eigenes Wort")
    assert own is not None
    assert not own.must_change


def test_when_somebody_signed_in_last(users: Users, clock: Clock) -> None:
    users.add(OTTO, PASSWORD, who="t")
    assert users.signed_in_at() == {"otto": None}
    users.note_sign_in("otto")
    assert users.signed_in_at() == {"otto": clock.now}


def test_rights_of_roles() -> None:
    def rights(role: Role, *, may_release: bool = False) -> set[str]:
        user = User("x", "X", role, may_release=may_release)
        return {right.value for right in Right if user.may(right)}

    assert rights(Role.VIEWER) == {"see"}
    assert rights(Role.OPERATOR) == {"see", "clear", "label"}
    assert rights(Role.TECHNICIAN) == rights(Role.OPERATOR) | {"calibrate", "recipes"}
    assert rights(Role.ADMIN) == rights(Role.TECHNICIAN) | {"users"}
    assert rights(Role.OPERATOR, may_release=True) == rights(Role.OPERATOR) | {"release"}
    assert rights(Role.VIEWER, may_release=True) == {"see"}
    assert not any(User("x", "X", Role.ADMIN, active=False).may(right) for right in Right)


def test_views() -> None:
    assert OTTO.may_see("feeder")
    assert not OTTO.may_see("nest")
    assert ANNA.may_see("nest")


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "a/b", "../x", "a\n", "x" * 65, "<script>", "a\x00", "user:1"])
def test_names_that_can_be_none(name: str) -> None:
    with pytest.raises(ValueError, match="a name has"):
        sign_in_name(name if name != "a\n" else "a\nb")


def test_names_are_kept_in_one_form() -> None:
    assert sign_in_name(" Anna.Meier ") == "anna.meier"
    assert sign_in_name("Jürgen") == sign_in_name("JU\u0308RGEN") == "jürgen"


@given(st.text(max_size=80))
def test_a_kept_name_is_its_own(text: str) -> None:
    try:
        name = sign_in_name(text)
    except ValueError:
        return
    assert sign_in_name(name) == name
    assert "/" not in name


def test_a_database_that_cannot_be_used_says_so(users: Users, tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "page.db").write_text("this is no database, and long enough that SQLite sees it" * 20)
    with pytest.raises(PageDatabaseError, match=r"page\.db: cannot be used"):
        users.all()
