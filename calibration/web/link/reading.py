"""From the bytes of a message to something that the page may show, or to nothing. Pure, and never raises.

Whoever may publish on the broker can write anything here, so nothing is taken on trust: size, depth, types, lengths and
words are those of docs/schemas, numbers are finite, and what does not fit is dropped whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from typing_extensions import Self

from edge.commands.canonical import canonical

MAX_JSON_BYTES: Final = 512 * 1024
MAX_PICTURE_BYTES: Final = 2 * 1024 * 1024
_YEARS: Final = range(1970, 2200)
"""At the ends of the calendar a moment cannot be told in another zone."""
_MAGIC: Final = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}

Word = Annotated[str, Field(max_length=256)]
Identity = Annotated[str, Field(min_length=1, max_length=160, pattern=r"^[\x21-\x7e]+$")]
Sentence = Annotated[str, Field(max_length=8192)]
Moment = Annotated[datetime, Field(strict=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**53)]
FrameOutcome = Literal["PASS", "FAIL", "UNDECIDED"]


class _Told(BaseModel):
    """What the page needs of a message; more keys may stand there, since a newer station may say more."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class _Reason(_Told):
    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    detail: Sentence


class _StateView(_Told):
    view: Word
    ready: bool
    reason: Sentence
    camera: Word = ""
    product: Word = ""
    recipe: Word = ""
    recipeVersion: int | None = None  # noqa: N815 - the message's own name
    bundle: Word = ""
    engine: Word = ""


class State(_Told):
    """docs/schemas/state; a last will has no time and no views."""

    schema_: Literal["lineclear/state/1"] = Field(alias="schema")
    status: Literal["starting", "ready", "degraded", "safe_mode", "offline"]
    reason: Sentence
    station: Word = ""
    views: Annotated[list[_StateView], Field(max_length=64)] = []
    creationTime: Moment | None = None  # noqa: N815


class Health(_Told):
    """docs/schemas/health."""

    schema_: Literal["lineclear/health/1"] = Field(alias="schema")
    uptimeS: Number | None  # noqa: N815
    values: Annotated[dict[Word, Number | int | bool | Sentence | None], Field(max_length=10_000)]
    creationTime: Moment  # noqa: N815


class Result(_Told):
    """docs/schemas/result."""

    schema_: Literal["lineclear/result/1"] = Field(alias="schema")
    resultId: Identity  # noqa: N815
    view: Word
    outcome: FrameOutcome
    reason: _Reason | None
    isSimulated: bool  # noqa: N815
    score: Number | None
    threshold: Number | None
    regionCount: Count = 0  # noqa: N815
    camera: Word = ""
    product: Word = ""
    engine: Word = ""
    recipeVersion: int | None = None  # noqa: N815
    creationTime: Moment  # noqa: N815


class _Release(_Told):
    who: Word
    why: Sentence
    time: Moment


class _ClearanceView(_Told):
    view: Word
    outcome: FrameOutcome
    reason: _Reason | None
    release: _Release | None = None


class Clearance(_Told):
    """docs/schemas/clearance."""

    schema_: Literal["lineclear/clearance/1"] = Field(alias="schema")
    resultId: Identity  # noqa: N815
    requestId: Word  # noqa: N815
    sequence: Count
    outcome: Literal["CLEAR", "NOT_CLEAR", "UNDECIDED", "RELEASED_BY"]
    isSimulated: bool  # noqa: N815
    batch: Word
    product: Word
    operator: Word
    note: Sentence = ""
    reasons: Annotated[list[_Reason], Field(max_length=256)]
    views: Annotated[list[_ClearanceView], Field(max_length=64)]
    creationTime: Moment  # noqa: N815

    @model_validator(mode="after")
    def _clear_is_clear(self) -> Self:
        """A station says CLEAR only where every view passed: who says it of another is no station."""
        if self.outcome == "CLEAR" and (self.reasons or not self.views or any(view.outcome != "PASS" for view in self.views)):
            raise ValueError("CLEAR, with a view that did not pass")
        return self


class _Progress(_Told):
    view: Word
    framesDone: Count  # noqa: N815
    frames: Count


class ClearanceState(_Told):
    """docs/schemas/clearance-state."""

    schema_: Literal["lineclear/clearance-state/1"] = Field(alias="schema")
    state: Literal["ready", "fitness", "challenge", "frames", "recording", "stopped"]
    sequence: Count
    requestId: Word | None  # noqa: N815
    resultId: Word | None  # noqa: N815
    batch: Word | None
    product: Word | None
    views: Annotated[list[_Progress], Field(max_length=64)]


class Alarm(_Told):
    """docs/schemas/alarm."""

    schema_: Literal["lineclear/alarm/1"] = Field(alias="schema")
    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    text: Sentence
    creationTime: Moment  # noqa: N815


class ImageNote(_Told):
    """docs/schemas/image: which result the next picture belongs to."""

    schema_: Literal["lineclear/image/1"] = Field(alias="schema")
    resultId: Identity  # noqa: N815
    view: Word
    kind: Word
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Error(_Told):
    code: Word
    message: Sentence
    remedy: Sentence = ""
    problems: Annotated[list[Sentence], Field(max_length=200)] = []


class Reply(_Told):
    """docs/schemas/reply."""

    schema_: Literal["lineclear/reply/1"] = Field(alias="schema")
    command: Word
    client: Word
    request_id: Word
    status: Literal["progress", "ok", "busy", "error"]
    error: _Error | None
    result: dict[str, Any] | None


def body_of(kind: type[BaseModel], payload: bytes) -> Mapping[str, Any] | None:
    """The whole JSON body if it is a `kind`, None if it is not, or not JSON that can be used."""
    if not 0 < len(payload) <= MAX_JSON_BYTES:
        return None
    try:
        data = json.loads(payload.decode("utf-8"), object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
        canonical(data)
        kind.model_validate_json(payload)
    except (ValueError, RecursionError, ValidationError):
        return None
    return data if isinstance(data, dict) else None


def picture_type(payload: bytes) -> str | None:
    """The content type that the bytes themselves show; None for what is no JPEG or PNG, or too large."""
    if len(payload) > MAX_PICTURE_BYTES:
        return None
    return next((kind for magic, kind in _MAGIC.items() if payload.startswith(magic)), None)


def moment_in(body: Mapping[str, Any], key: str = "creationTime") -> datetime | None:
    """A time of a body that `body_of` let through; None where it has none, it names no zone, or no clock says such a year."""
    text = body.get(key)
    if not isinstance(text, str) or not re.fullmatch(r"[0-9T:.+-]{10,40}Z?", text):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None and moment.year in _YEARS else None


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is written twice")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
