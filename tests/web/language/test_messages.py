"""Every word of the page in three languages: none missing, none too many, the same places for values."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.web.language import LANGUAGES, load_words, preferred
from calibration.web.language.words import FOLDER, placeholders
from edge.errors import ConfigError

WEB = FOLDER.parent
AREAS = sorted({path.name.partition(".")[0] for path in FOLDER.glob("*.yaml")})
WORDS = load_words()
KEY = re.compile(r"""["'`]((?:AREAS)\.[A-Za-z0-9_.]*)["'`$](\s*[~+]|\{)?""".replace("AREAS", "|".join(AREAS)))
ASKED = re.compile(r"""\b(?:t|say)\(\s*(?:"(?:ok|info|warning|error)",\s*)?["']([a-z]+\.[A-Za-z0-9_.]+)["'](\s*[~+])?""")


def sources() -> list[Path]:
    return [path for kind in ("*.py", "*.html", "*.js") for path in sorted(WEB.rglob(kind))]


def mentioned() -> tuple[set[str], set[str]]:
    """Whole keys (what to do about `key` is `key_do`), and beginnings of keys that are put together."""
    keys: set[str] = set()
    beginnings: set[str] = set()
    for path in sources():
        text = path.read_text()
        for key, joined in KEY.findall(text):
            (beginnings if joined else keys).add(key)
            keys |= set() if joined else {f"{key}_do"}
        if path.suffix == ".py":
            beginnings |= set(begun(ast.parse(text)))
    return keys, beginnings


def begun(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
            start = str(node.values[0].value)
            if re.fullmatch(rf"(?:{'|'.join(AREAS)})\.[A-Za-z0-9_.]*", start):
                yield start


@pytest.mark.parametrize("area", AREAS)
def test_all_languages_have_the_same_keys_with_the_same_places(area: str) -> None:
    english = {key: text for key, text in WORDS.texts["en"].items() if key.startswith(f"{area}.")}
    assert english
    for language in LANGUAGES:
        texts = {key: text for key, text in WORDS.texts[language].items() if key.startswith(f"{area}.")}
        assert sorted(texts) == sorted(english), language
        for key, text in texts.items():
            assert text.strip() == text, f"{language} {key}"
            assert text, f"{language} {key}"
            assert placeholders(text) == placeholders(english[key]), f"{language} {key}"


def test_every_key_that_is_asked_for_is_there() -> None:
    asked = {(path.name, key) for path in sources() for key, joined in ASKED.findall(path.read_text()) if not joined}
    missing = sorted((name, key) for name, key in asked if not WORDS.knows(key))
    assert not missing
    keys, beginnings = mentioned()
    assert not [start for start in beginnings if not any(key.startswith(start) for key in WORDS.texts["en"])]
    assert keys


@pytest.mark.parametrize("area", AREAS)
def test_no_text_is_there_for_nothing(area: str) -> None:
    keys, beginnings = mentioned()
    mine = [key for key in WORDS.texts["en"] if key.startswith(f"{area}.")]
    assert not [key for key in mine if key not in keys and not any(key.startswith(start) for start in beginnings)]


def test_texts_are_filled_and_unknown_ones_show_their_key() -> None:
    assert WORDS.say("en", "base.sign_in_to", station="A {name} & B") == "Sign in to station A {name} & B."
    assert WORDS.say("xx", "base.menu") == "Menu"
    assert WORDS.say("en", "base.sign_in_to") == "Sign in to station {station}."
    assert WORDS.say("de", "base.no_such_key_at_all") == "[base.no_such_key_at_all]"


@pytest.mark.parametrize(
    ("accepted", "wanted"),
    [
        ("de-AT,de;q=0.8,en;q=0.5", "de"),
        ("it", "it"),
        ("fr,it;q=0.3,en;q=0.9", "en"),
        ("fr", "de"),
        ("", "de"),
        ("en;q=x,it", "it"),
    ],
)
def test_the_browser_s_language(accepted: str, wanted: str) -> None:
    assert preferred(accepted, "de") == wanted


@given(st.text(max_size=300))
def test_any_header_gives_a_language(accepted: str) -> None:
    assert preferred(accepted, "en") in LANGUAGES


def test_a_file_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "base.en.yaml").write_text("on: 1\n")
    with pytest.raises(ConfigError, match="put it in quotes"):
        load_words(tmp_path)
    (tmp_path / "base.en.yaml").rename(tmp_path / "base.fr.yaml")
    with pytest.raises(ConfigError, match="is no message file"):
        load_words(tmp_path / ".." / tmp_path.name)
