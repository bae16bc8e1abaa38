"""The page's words are there in every language, for everything that it may have to say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from calibration.web.language.words import FOLDER, LANGUAGES, load_words, placeholders
from calibration.web.reference.bench import KEPT, Candidates
from edge.settings.adjustable import UNITS
from edge.types import Gate
from tests.station_parts import make_recipe, scene, with_noise

WEB = FOLDER.parent
SOURCES = [
    *(WEB / "templates" / "camera").glob("*.html"),
    *(WEB / "pages").glob("camera*.py"),
    *(WEB / "pages").glob("reference*.py"),
]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_there_with_the_same_placeholders(language: str) -> None:
    texts = load_words().texts
    english = {key: text for key, text in texts["en"].items() if key.startswith("camera.")}
    mine = {key: text for key, text in texts[language].items() if key.startswith("camera.")}
    assert mine.keys() == english.keys()
    for key, text in mine.items():
        assert placeholders(text) == placeholders(english[key]), key
        assert text.strip() == text


def test_every_key_that_is_used_is_known() -> None:
    used = {key for path in SOURCES for key in re.findall(r"[\"'](camera\.[a-z_]+)[\"']", path.read_text())}
    used -= {"camera.css", "camera.js"} | {key for key in used if key.endswith("_")}
    unknown = {key for key in used if not load_words().knows(key)}
    assert not unknown
    assert len(used) > 80


def test_every_gate_knob_and_advice_has_its_words(tmp_path: Path) -> None:
    from calibration.web.reference.aligning import check

    found = check(with_noise(scene(), 3), make_recipe(tmp_path))
    names = [gate.name for gate in found.alignment.gates]
    assert isinstance(found.alignment.gates[0], Gate)
    wanted = [*(f"gate_{name}" for name in names), *(f"knob_{name}" for name in UNITS)]
    wanted += [f"advice_{word}" for word in ("good", "saturated", "black", "darker", "brighter")]
    assert all(load_words().knows(f"camera.{key}") for key in wanted)


def test_candidates_are_of_their_person_and_few(tmp_path: Path) -> None:
    from calibration.web.reference.candidate import make
    from calibration.web.reference.shots import Shot

    recipe = make_recipe(tmp_path)
    shot = Shot("r", "PASS", "", recipe.document.created_at, tmp_path, with_noise(scene(), 4))
    candidate = make(recipe, [shot], "one")
    assert candidate.is_still
    bench = Candidates()
    names = [bench.put("tina", candidate) for _ in range(KEPT + 1)]
    assert bench.get("tina", "front", names[0]) is None
    assert bench.get("tina", "front", names[-1]) is candidate
    assert bench.get("anna", "front", names[-1]) is None
    assert bench.get("tina", "back", names[-1]) is None
    bench.drop(names[-1])
    assert bench.get("tina", "front", names[-1]) is None
