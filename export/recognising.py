"""Which family a file belongs to, told by its tensors. Each family brings a card; a family that is not there is left out.

A card is a module `export/adapters/<family>_card.py` without torch and without onnx, which may have:

- `recognise(shapes) -> Recognised | None`: the shapes of a checkpoint's tensors by name (prefixes "module." and "model."
  removed, where every tensor had them)
- `SIGN`: names of a few tensors that every checkpoint of the family has, to name the nearest family where none fits
- `recognise_onnx(description) -> Recognised | None`: an `export.onnx_description.OnnxDescription`
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from export.onnx_description import OnnxDescription

Shapes = Mapping[str, tuple[int, ...]]
FAMILIES: Final = (
    "draem", "ddad", "bit", "vt_adl", "piade", "autoencoder", "capsule", "mahalanobis", "anomalib", "change_onnx",
)  # fmt: skip


@dataclass(frozen=True)
class Recognised:
    """What a file is. facts: what its tensors say ("base width 128"). declare: what they do not say, and the user must.
    command: the call that exports it, with the file's name as FILE.
    """

    family: str
    facts: tuple[str, ...]
    declare: tuple[str, ...]
    command: str


@dataclass(frozen=True)
class Nearest:
    """The family of which most is there, and the tensors that every file of it has and this one lacks."""

    family: str
    missing: tuple[str, ...]


def recognise(shapes: Shapes) -> tuple[Recognised, ...]:
    """Every family that takes the checkpoint for its own; more than one where families share a format."""
    found = (card.recognise(shapes) for card in _cards("recognise"))
    return tuple(each for each in found if each is not None)


def recognise_onnx(description: OnnxDescription) -> tuple[Recognised, ...]:
    """As `recognise`, for an ONNX file."""
    found = (card.recognise_onnx(description) for card in _cards("recognise_onnx"))
    return tuple(each for each in found if each is not None)


def nearest(shapes: Shapes) -> Nearest | None:
    """For a checkpoint that no family takes; None where nothing of any family is in it."""
    best: tuple[float, Nearest] | None = None
    for card in _cards("SIGN"):
        missing = tuple(name for name in card.SIGN if name not in shapes)
        share = 1 - len(missing) / len(card.SIGN)
        if share > 0 and (best is None or share > best[0]):
            family = card.__name__.rpartition(".")[2].removesuffix("_card")
            best = share, Nearest(family, missing)
    return best[1] if best else None


def _cards(attribute: str) -> Iterator[ModuleType]:
    for family in FAMILIES:
        name = f"export.adapters.{family}_card"
        if importlib.util.find_spec(name) is not None:
            card = importlib.import_module(name)
            if hasattr(card, attribute):
                yield card
