"""What a person reads when something is not done."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.web.http.asking import local_path, with_next
from calibration.web.http.refusals import Refused
from calibration.web.language import load_words
from tests.web.parts import Browser


def test_pages_for_people_and_json_for_scripts(nobody: Browser, viewer: Browser) -> None:
    page = viewer.get("/nowhere")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "What to do:" in page.text
    assert "Vera Rossi" in page.text, "with the usual header"
    assert "What to do:" in nobody.get("/nowhere").text
    told = viewer.fetch("GET", "/nowhere")
    assert (told.status_code, set(told.json())) == (404, {"error", "what_to_do"})
    assert nobody.fetch("GET", "/me").json()["sign_in"] == "/sign-in"


def test_in_the_reader_s_language(nobody: Browser) -> None:
    assert "Was zu tun ist:" in nobody.get("/nowhere", headers={"Accept-Language": "de"}).text
    assert "Che cosa fare:" in nobody.get("/nowhere", headers={"Accept-Language": "it"}).text


def test_what_was_sent_is_not_sent_back(admin: Browser) -> None:
    answer = admin.post("/users/new", {"name": "<b>marker</b>" * 200, "may_release": "<i>perhaps</i>"})
    assert answer.status_code == 422
    assert "<b>marker" not in answer.text
    assert "<i>perhaps" not in answer.text


def test_a_wrong_method_says_so(viewer: Browser) -> None:
    assert viewer.fetch("DELETE", "/me").status_code == 405


@pytest.mark.parametrize("content", [b"\xff\xfe", b"--x\r\nnonsense", b""])
def test_bodies_that_are_none(nobody: Browser, content: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x", "X-CSRF-Token": ""}
    assert nobody.fetch("POST", "/sign-in", content=content, headers=headers).status_code in (400, 403, 422)


def test_a_refusal_is_a_text_or_a_key() -> None:
    say = lambda key, **values: load_words().say("en", key, **values)  # noqa: E731
    assert Refused("base.upload_too_large", megabytes=5).text(say) == "This file is too large. At most 5 MB are taken."
    assert Refused("this was said by somebody else.").text(say) == "this was said by somebody else."


@given(st.text(max_size=60))
def test_a_way_back_leads_to_this_page(text: str) -> None:
    for path in (text, f"/{text}"):
        found = local_path(path)
        assert found.startswith("/")
        assert not found.startswith(("//", "/\\"))
        assert not any(ord(character) < 0x21 for character in found)
        assert "&" not in with_next("/unlock", path).partition("?next=")[2]
