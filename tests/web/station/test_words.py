"""Everything that a station can say has words, in three languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from calibration.web.language import LANGUAGES, load_words
from calibration.web.language.words import placeholders
from calibration.web.link.trouble import Why
from calibration.web.station import Doubt
from calibration.web.station.showing import alarm_family
from edge.publishers.station_payloads import StationStatus
from edge.types import ReasonCode

WORDS = load_words()
DOC = (Path(__file__).parents[3] / "docs" / "mqtt.md").read_text()
ALARMS = re.findall(r"^\| `([a-z_]+)(?:\{\w+\})?(_old)?` \|", DOC.split("### Alarms")[1].split("### Values")[0], re.MULTILINE)


def keys() -> list[str]:
    pairs = [f"reason.{code.value}" for code in ReasonCode] + [f"doubt.{doubt.value}" for doubt in Doubt]
    pairs += [f"alarm.{alarm_family(f'{code}x{old}' if code.endswith('_') else code)[0]}" for code, old in ALARMS]
    return [
        *pairs, *(f"{pair}_do" for pair in pairs), *(f"link.{why.value}" for why in Why),
        *(f"status.{status.value}" for status in StationStatus),
        *(f"camera.{status}" for status in ("live", "silent", "lost", "refused", "opening", "closed")),
        *(f"step.{step}" for step in ("fitness", "challenge", "frames", "recording")),
    ]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_can_be_said_has_words(language: str) -> None:
    known = WORDS.texts[language]
    assert not [key for key in keys() if f"station.{key}" not in known]


def test_every_documented_alarm_is_known() -> None:
    assert len(ALARMS) >= 18
    assert not [code for code, old in ALARMS if alarm_family(f"{code}x{old}" if code.endswith("_") else code)[0] == "other"]


@pytest.mark.parametrize("area", ["station", "recipes"])
def test_the_languages_say_the_same_things(area: str) -> None:
    texts = {language: {k: v for k, v in WORDS.texts[language].items() if k.startswith(f"{area}.")} for language in LANGUAGES}
    for language in LANGUAGES:
        assert set(texts[language]) == set(texts["en"])
        assert not [key for key, text in texts[language].items() if placeholders(text) != placeholders(texts["en"][key])]
        assert all(text.strip() for text in texts[language].values())
