"""The trace that every change leaves (rule 8 of the architecture): who, when, why, before, after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator

from edge.recipe.document import Person, Sentence
from edge.schema import Closed


class Trace(Protocol):
    """Records a change before it is put in force, as `edge.audit` does. What it raises stops the change."""

    def __call__(
        self, action: str, subject: str, who: str, why: str, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> None:
        """action: such as `thresholds`; subject: the recipe; before, after: what the change is about, JSON-ready."""
        ...


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank: write something that tells the next one")
    return text.strip()


class Signature(Closed):
    """Who changes something, and why; both go into the history."""

    who: Annotated[Person, AfterValidator(_not_blank)]
    why: Annotated[Sentence, AfterValidator(_not_blank)]
