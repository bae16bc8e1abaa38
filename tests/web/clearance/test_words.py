"""Every word of the pages in every language, with the same placeholders, and words for every code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from calibration.web.clearance.ledger import OrderState
from calibration.web.language.words import LANGUAGES, load_words, placeholders
from edge.publishers.clearance_payloads import ClearancePhase
from edge.types import ReasonCode

WEB = Path(__file__).resolve().parents[3] / "calibration" / "web"
AREAS = ("clearance", "viewer")
TEXTS = load_words().texts


def of(language: str) -> dict[str, str]:
    return {key: text for key, text in TEXTS[language].items() if key.split(".")[0] in AREAS}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same(language: str) -> None:
    english, other = of("en"), of(language)
    assert english.keys() == other.keys()
    assert all(placeholders(english[key]) == placeholders(other[key]) for key in english)
    assert all(text.strip() for text in other.values())


def test_german_and_italian_are_not_english() -> None:
    same = [
        key for key, text in of("en").items() if len(text) > 20 and text in (of("de")[key], of("it")[key]) and "px" not in text
    ]
    assert same == []


def test_every_word_that_is_used_is_there_and_the_reverse() -> None:
    sources = [*WEB.glob("templates/clearance/*.html"), *WEB.glob("pages/clearance*.py"), WEB / "pages/viewer.py"]
    sources += WEB.glob("clearance/*.py")
    text = "\n".join(path.read_text() for path in sources)
    used = set(re.findall(r'"((?:clearance|viewer)\.[a-z_.]+)"', text.replace("'", '"')))
    keys = of("en").keys()
    whole = {key for key in used if not key.endswith((".", "_"))} - {"clearance.css", "clearance.js", "viewer.css", "viewer.js"}
    missing = sorted(key for key in whole if key not in keys and not any(known.startswith(f"{key}.") for known in keys))
    assert missing == []


@pytest.mark.parametrize("code", [code.value for code in ReasonCode])
def test_every_reason_has_plain_words(code: str) -> None:
    assert f"clearance.reason.{code}" in of("en")


def test_every_phase_and_state_has_words() -> None:
    assert all(f"clearance.phase.{phase.value}" in of("en") for phase in ClearancePhase)
    assert all(f"clearance.order.{state.value}" in of("en") for state in OrderState)
    closed = [state for state in OrderState if state not in (OrderState.ASKING, OrderState.BEGUN)]
    assert all(f"clearance.order_what.{state.value}" in of("en") for state in closed)


def test_every_code_of_a_hindrance_has_words() -> None:
    text = (WEB / "clearance/releasing.py").read_text() + (WEB / "clearance/readiness.py").read_text()
    codes = set(re.findall(r'Hindrance\("([a-z_]+)"', text))
    for code in codes:
        assert {f"clearance.no_release.{code}", f"clearance.not_ready.{code}"} & of("en").keys(), code
    notes = set(re.findall(r'(?:append|notes=)\(?\(?"([a-z_]+)"', (WEB / "clearance/viewing.py").read_text()))
    assert {f"viewer.note.{note}" for note in notes} <= of("en").keys()
