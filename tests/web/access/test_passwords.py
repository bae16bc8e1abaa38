"""What is kept of a password, and which are refused."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from calibration.web.access import Passwords, PasswordsBusy, one_time_password, passwords, weakness
from tests.web.parts import PASSWORD, cheap_passwords

CHEAP = cheap_passwords()


def test_it_is_argon2id_as_rfc_9106_has_it_and_never_the_password_itself() -> None:
    kept = Passwords().hash(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert PASSWORD not in kept
    assert kept != Passwords().hash(PASSWORD), "each has a salt of its own"


def test_right_wrong_and_nobody() -> None:
    kept = CHEAP.hash(PASSWORD)
    assert CHEAP.check(kept, PASSWORD)
    assert not CHEAP.check(kept, PASSWORD + " ")
    assert not CHEAP.check(kept, "")
    assert not CHEAP.check(None, PASSWORD)
    assert not CHEAP.check("no hash at all", PASSWORD)
    assert not CHEAP.check(kept, "x" * 1_000_000)


class Watched(PasswordHasher):
    """Says what it verified, and hashes only when it may."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified: list[str] = []
        self.inside = threading.Barrier(passwords.AT_ONCE + 1)
        self.go = threading.Event()
        self.slow = False

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:
        self.verified.append(str(hash))
        return super().verify(hash, password)

    def hash(self, password: str | bytes, **more: Any) -> str:
        if self.slow:
            self.inside.wait(10)
            self.go.wait(10)
        return super().hash(password, **more)


def test_a_name_that_there_is_not_takes_the_same_work() -> None:
    hasher = Watched()
    made = Passwords(hasher)
    made.check(made.hash(PASSWORD), "wrong")
    made.check(None, "wrong")
    parameters = [kept.split("$")[1:4] for kept in hasher.verified]
    assert parameters == [["argon2id", "v=19", "m=8,t=1,p=1"]] * 2


def test_the_same_letters_from_another_keyboard_are_the_same_password() -> None:
    assert CHEAP.check(CHEAP.hash("gru\u0308ne Katze"), "gr\u00fcne Katze")


def test_hashes_of_other_parameters_are_made_anew() -> None:
    assert Passwords().is_outdated(CHEAP.hash(PASSWORD))
    assert not CHEAP.is_outdated(CHEAP.hash(PASSWORD))


def test_only_so_many_hash_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "WAIT_S", 0.01)
    hasher = Watched()
    made = Passwords(hasher)
    hasher.slow = True
    threads = [threading.Thread(target=made.hash, args=(PASSWORD,)) for _ in range(passwords.AT_ONCE)]
    for thread in threads:
        thread.start()
    hasher.inside.wait(10)
    with pytest.raises(PasswordsBusy, match="try again"):
        made.hash(PASSWORD)
    hasher.go.set()
    for thread in threads:
        thread.join(10)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("kurz", "base.password_too_short"),
        ("x" * 129, "base.password_too_long"),
        ("gute Katze\x00 springt", "base.password_odd_characters"),
        ("aaaaaaaaaaaa", "base.password_too_simple"),
        ("ababababab", "base.password_too_simple"),
        ("1234567890", "base.password_too_simple"),
        ("0987654321", "base.password_too_simple"),
        ("qwertzuiop", "base.password_too_simple"),
        ("abcabcabcabc", "base.password_too_simple"),
        ("Password2026!", "base.password_common"),
        ("!!Passwort123", "base.password_common"),
        ("P@ssw0rd1234", "base.password_common"),
        ("Lineclear2026", "base.password_common"),
        ("Administrator1", "base.password_common"),
        ("annameier12", "base.password_is_name"),
        ("feeder-box1", "base.password_is_name"),
    ],
)
def test_easy_ones_are_refused(password: str, why: str) -> None:
    assert weakness(password, min_length=10, about=("anna", "Anna Meier", "annameier", "feeder-box")) == why


@pytest.mark.parametrize(
    "password", [PASSWORD, "correct horse", "Zwölf Boxkämpfer", "annas dritter Hund frisst", "x7#kQ2!mZp9w"]
)
def test_good_ones_are_taken(password: str) -> None:
    assert weakness(password, min_length=10, about=("anna", "Anna Meier")) is None


def test_one_that_is_handed_out_is_good_and_new_each_time() -> None:
    made = {one_time_password() for _ in range(200)}
    assert len(made) == 200
    assert all(weakness(password, min_length=16) is None for password in made)


@given(st.text(max_size=200))
def test_any_text_is_judged(text: str) -> None:
    assert weakness(text, min_length=10, about=("anna", "")) is None or text is not None
