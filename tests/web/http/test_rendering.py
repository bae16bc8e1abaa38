"""Numbers as people of each language write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.web.http.rendering import figure


@pytest.mark.parametrize(
    ("language", "value", "digits", "text"),
    [
        ("en", 0.84213, 4, "0.8421"),
        ("de", 0.84213, 4, "0,8421"),
        ("it", 5.42, 3, "5,42"),
        ("de", 61.0, 3, "61"),
        ("en", 12345.6, 3, "12346"),
        ("de", 0.0, 3, "0"),
        ("de", 0.00001234, 3, "1,23e-05"),
        ("en", -2.5, 3, "-2.5"),
        ("en", 3_000_000.0, 3, "3.00e+06"),
    ],
)
def test_figures(language: str, value: float, digits: int, text: str) -> None:
    assert figure(language, value, digits) == text


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_the_languages_differ_in_the_mark_alone(value: float) -> None:
    english = figure("en", value)
    assert figure("de", value) == figure("it", value) == english.replace(".", ",")
    assert float(english) == pytest.approx(value, rel=6e-3, abs=1e-45)
