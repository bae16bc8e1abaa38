"""Messages from `messages/AREA.LANGUAGE.yaml`: flat `key: text with {placeholders}`, asked for as `AREA.key`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, get_args

from calibration.web.settings import Language
from edge.errors import ConfigError
from edge.schema import read_yaml

LANGUAGES: Final[tuple[str, ...]] = get_args(Language)
FOLDER: Final = Path(__file__).resolve().parent.parent / "messages"
_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_FILE: Final = re.compile(r"([a-z]+)\.([a-z]{2})\.yaml")


@dataclass(frozen=True)
class Words:
    """texts: language -> key -> text."""

    texts: Mapping[str, Mapping[str, str]]

    def say(self, language: str, key: str, /, **values: object) -> str:
        """A text with its placeholders filled; English where a language lacks it, and the key where nobody knows it."""
        text = self.texts.get(language, {}).get(key) or self.texts["en"].get(key)
        if text is None:
            return f"[{key}]"
        return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), text)

    def knows(self, key: str) -> bool:
        """True if there is such a text."""
        return key in self.texts["en"]


@cache
def load_words(folder: Path = FOLDER) -> Words:
    """All message files of a folder. ConfigError: one is not what it must be."""
    texts: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for path in sorted(folder.glob("*.yaml")):
        found = _FILE.fullmatch(path.name)
        if found is None or found[2] not in texts:
            raise ConfigError(
                "is no message file", where=str(path), remedy="name it AREA.en.yaml, AREA.de.yaml or AREA.it.yaml"
            )
        data = read_yaml(path)
        for key, text in (data or {}).items():
            if not isinstance(text, str):
                raise ConfigError(f"{key}: is no text", where=str(path), remedy="put it in quotes")
            texts[found[2]][f"{found[1]}.{key}"] = text
    return Words(texts)


def placeholders(text: str) -> frozenset[str]:
    """The names in braces of a text."""
    return frozenset(_PLACEHOLDER.findall(text))


def preferred(accepted: str, otherwise: str) -> str:
    """The language that a browser's Accept-Language asks for first among ours."""
    choices: list[tuple[float, int, str]] = []
    for order, part in enumerate(accepted[:200].split(",")):
        name, _, quality = part.strip().partition(";q=")
        language = name.split("-")[0].strip().lower()
        if language in LANGUAGES:
            try:
                choices.append((-float(quality or 1), order, language))
            except ValueError:
                continue
    return min(choices)[2] if choices else otherwise
