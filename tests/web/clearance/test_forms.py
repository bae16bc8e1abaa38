"""What people type becomes a command's body or a problem for each field."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.web.clearance.forms import answer_why, is_request_id, new_request_id, start_form, wrong_product
from edge.clearance.requests import ClearanceOrder
from edge.errors import ConfigError
from edge.schema import validate


def test_a_whole_form_has_no_problems() -> None:
    filled = start_form("  B-1 ", "aspirin", "A. Meier", " night shift ", needs_operator=True)
    assert filled.problems == {}
    assert filled.body == {"batch": "B-1", "product": "aspirin", "operator": "A. Meier", "note": "night shift"}


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        (("", "", "", ""), {"batch": "empty", "product": "empty"}),
        (("a/b", "aspirin", "", ""), {"batch": "slash"}),
        (("B", "a+b", "", ""), {"product": "no_product"}),
        (("B", "..", "", ""), {"product": "no_product"}),
        (("B" * 129, "aspirin", "", ""), {"batch": "too_long"}),
        (("B\u202e1", "aspirin", "", "x\ny"), {"batch": "invisible", "note": "invisible"}),
        (("B\ud800", "aspirin", "", ""), {"batch": "invisible"}),
    ],
)
def test_each_field_says_what_is_wrong(fields: tuple[str, str, str, str], problems: dict[str, str]) -> None:
    assert start_form(*fields, needs_operator=False).problems == problems


def test_an_operator_can_be_demanded() -> None:
    assert start_form("B", "p", " ", "", needs_operator=True).problems == {"operator": "empty"}


@given(st.text(max_size=140), st.text(max_size=90), st.text(max_size=140), st.text(max_size=40))
def test_the_station_takes_what_the_form_takes(batch: str, product: str, operator: str, note: str) -> None:
    filled = start_form(batch, product, operator, note, needs_operator=False)
    try:
        validate(ClearanceOrder, {"request_id": "page-1", **filled.body}, "test")
    except ConfigError:
        assert filled.problems
    else:
        assert not filled.problems


def test_a_forms_id_is_its_own() -> None:
    first, second = new_request_id(), new_request_id()
    assert first != second
    assert is_request_id(first)
    for other in ("", "page-", "page-1", f"plc-{uuid.uuid4()}", f"page-{uuid.uuid4()} ", "page-" + uuid.uuid4().hex):
        assert not is_request_id(other)


def test_a_reason_is_one_line() -> None:
    assert answer_why(" a lamp\n reflects ") == ("a lamp reflects", "")
    assert answer_why(" \n ") == ("", "empty")
    assert answer_why("a\u200bb")[1] == "invisible"
    assert answer_why("x" * 2001)[1] == "too_long"


def test_another_products_recipes_are_named() -> None:
    state = {"views": [{"product": "aspirin"}, {"product": ""}]}
    assert wrong_product(state, "aspirin") == ""
    assert wrong_product(state, "zinc") == "aspirin"
    assert wrong_product(None, "zinc") == ""
