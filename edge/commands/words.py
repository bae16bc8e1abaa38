"""The small words that commands are made of: strict, closed, and the same in their JSON Schema."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, FiniteFloat, WithJsonSchema

from edge.settings.mqtt import TopicLevel

_TIME: Final = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$"


def one_line(text: str) -> str:
    """`text` if it reads the same for everybody: UTF-8, one line, nothing invisible, no blanks around it; else ValueError."""
    if not text or text != text.strip():
        raise ValueError("is empty or has blanks around it")
    return visible(text)


def visible(text: str) -> str:
    """`text` if every character of it can be seen; ValueError says which cannot."""
    odd = next((character for character in text if not character.isprintable()), None)
    if odd is not None:
        raise ValueError(f"contains {odd!r}, which cannot be seen: write plain text on one line")
    return text


def _time_text(value: Any) -> Any:
    """No numbers for seconds since 1970, nor texts of numbers, which pydantic takes too: nothing is guessed here."""
    if not isinstance(value, str) or not re.fullmatch(_TIME, value):
        raise ValueError("must be a time such as 2026-11-22T04:05:06.789Z, with its zone")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("must be a number")
    return value


def _truth(value: Any) -> Any:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _whole(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    return value


Name = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(one_line)]
Why = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(one_line)]
Note = Annotated[str, Field(max_length=2000), AfterValidator(visible)]
ViewName = Annotated[TopicLevel, Field(min_length=1)]
Moment = Annotated[
    AwareDatetime, BeforeValidator(_time_text), WithJsonSchema({"type": "string", "format": "date-time", "pattern": _TIME})
]
Number = Annotated[FiniteFloat, BeforeValidator(_number)]
Truth = Annotated[bool, BeforeValidator(_truth)]
Count = Annotated[int, BeforeValidator(_whole)]
