"""RFC 8785: its own examples, and that nothing of the data is lost."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.commands.canonical import MAX_DEPTH, MAX_WHOLE, canonical

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_WHOLE, MAX_WHOLE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([333333333.33333329, 1e30, 4.50, 2e-3, 1e-27], "[333333333.3333333,1e+30,4.5,0.002,1e-27]"),
        ('€$\u000f\nA\'B"\\\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        ([None, True, False], "[null,true,false]"),
        # RFC 8785, 3.2.3: sorted by UTF-16 code units, so the emoji comes before U+FB33.
        (
            {"€": 1, "\r": 2, "\ufb33": 3, "1": 4, "😀": 5, "\u0080": 6, "ö": 7},
            '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
        ),
        (
            [0.0, -0.0, 1.0, 1e20, 1e21, 1e-6, 1e-7, -1.5, 5e-324],
            "[0,0,1,100000000000000000000,1e+21,0.000001,1e-7,-1.5,5e-324]",
        ),
        ([1.7976931348623157e308, 9007199254740992.0], "[1.7976931348623157e+308,9007199254740992]"),
    ],
)
def test_the_form_is_the_standards(data: object, text: str) -> None:
    assert canonical(data).decode("utf-8") == text


@given(VALUES)
def test_nothing_is_lost_and_the_form_is_one(data: object) -> None:
    try:
        text = canonical(data)
    except ValueError:
        json.dumps(data).encode()  # what is refused was half a character
        return
    again = json.loads(text)
    assert json.loads(text, parse_int=float) == data
    assert canonical(again) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_comes_back(value: float) -> None:
    assert float(canonical(value)) == value


@pytest.mark.parametrize("data", [math.nan, math.inf, -math.inf, 10**400, "\ud800", {"\udfff": 1}])
def test_what_other_languages_cannot_hold_is_refused(data: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are Python's own for half characters
        canonical(data)


def test_depth_is_bounded() -> None:
    deep: list[object] = []
    for _ in range(MAX_DEPTH):
        deep = [deep]
    canonical(deep)
    with pytest.raises(ValueError, match="deeper"):
        canonical([deep])
