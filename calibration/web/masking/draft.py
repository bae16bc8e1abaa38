"""What the editor sends: masks on their way to a recipe. Nothing of it is believed before it is read here."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Final, NoReturn

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self

from edge.errors import ConfigError
from edge.recipe import hash_of
from edge.recipe.document import Sentence
from edge.schema import Closed, ModelT, validate
from edge.settings.judging import MaskPolygon, MasksFile

MAX_BYTES: Final = 1_000_000
MAX_CORNERS: Final = 20_000
WHERE: Final = "masks"
_AGAIN: Final = "load the page again; what you drew last may have to be drawn anew"


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank: write something that tells the next one")
    return text.strip()


class Draft(Closed):
    """Masks that were changed in the browser. version: of the recipe that the editor started from."""

    version: int = Field(ge=1, le=999_999_999)
    masks: tuple[MaskPolygon, ...] = Field(max_length=500)

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        corners = sum(len(mask.points) for mask in self.masks)
        if corners > MAX_CORNERS:
            raise ValueError(f"{corners} corners in all, at most {MAX_CORNERS}: draw with fewer")
        for mask in self.masks:
            if not mask.name.isprintable() or not mask.name.strip():
                raise ValueError(f"the name {mask.name!r} cannot be read by people: write letters, digits and spaces")
        MasksFile.model_validate({"schema": 1, "masks": self.masks})
        return self

    @property
    def polygons(self) -> tuple[MaskPolygon, ...]:
        """The masks with names in one spelling: without outer spaces, `ü` as one character."""
        return tuple(mask.model_copy(update={"name": _plain(mask.name)}) for mask in self.masks)


class Order(Draft):
    """A draft that is to be saved. why: goes into the history. check: the job that tried it on known bad frames, "" for none.
    confirm: why it is saved although a bad frame would be missed, "" for nothing said.
    """

    why: Annotated[Sentence, AfterValidator(_said)]
    check: str = Field("", max_length=100)
    confirm: str = Field("", max_length=500)


def read_draft(data: bytes) -> Draft:
    """The draft in a request's body. ConfigError with a line for each thing that is wrong."""
    return _read(Draft, data)


def read_order(data: bytes) -> Order:
    """The order to save in a request's body. ConfigError."""
    return _read(Order, data)


def hash_of_masks(masks: tuple[MaskPolygon, ...]) -> str:
    """What a threshold card compares: the hash over the enabled masks, as `edge.recipe` takes it."""
    return hash_of([mask.model_dump(mode="json") for mask in masks if mask.enabled])


def _read(kind: type[ModelT], data: bytes) -> ModelT:
    found = validate(kind, _document(data), WHERE)
    if isinstance(found, Draft):
        names = [mask.name for mask in found.polygons]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ConfigError(f"two masks are called {repeated[0]!r}", where=WHERE, remedy="give each mask a name of its own")
    return found


def _document(data: bytes) -> Mapping[str, Any]:
    if len(data) > MAX_BYTES:
        raise ConfigError("is too large", where=WHERE, remedy="draw with fewer corners")
    try:
        document = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError):  # no JSON, no UTF-8, NaN, nested too deeply, a number of thousands of digits
        raise ConfigError("cannot be read", where=WHERE, remedy=_AGAIN) from None
    if not isinstance(document, dict):
        raise ConfigError("cannot be read", where=WHERE, remedy=_AGAIN)
    return document


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip())
