"""What a preview says: every verdict that would be another one, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from edge.publishers.payloads import finite, utc_text
from edge.types import Judgement

Rung = Literal["score", "map", "frame", "kept"]
RUNGS: dict[Rung, str] = {
    "score": "the stored score against the new threshold: exact",
    "map": "the stored map smoothed and scored again: exact but for its float16",
    "frame": "the stored frame judged again, as the station would now",
    "kept": "undecided for a reason that no threshold changes",
}


@dataclass(frozen=True)
class Replayed:
    """One verdict, then and with the new card.

    rung: what it was decided from. close: the score is nearer to the threshold than the rounding of the stored map, so it
    cannot be told. approximate: masks guide the registration too, and the map is one of the old alignment. overlay: name of
    the picture in the preview's folder, "" without one.
    """

    result_id: str
    decided_at: datetime
    before: str
    before_reason: str
    before_score: float | None
    before_threshold: float | None
    after: Judgement
    rung: Rung
    close: bool = False
    approximate: bool = False
    overlay: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether the outcome would be another one."""
        return self.before != self.after.outcome.value

    @property
    def transition(self) -> str:
        """Such as `PASS -> FAIL`."""
        return f"{self.before} -> {self.after.outcome.value}"

    def document(self) -> dict[str, Any]:
        """As JSON."""
        reason = self.after.reason
        return {
            "resultId": self.result_id,
            "decidedAt": utc_text(self.decided_at),
            "before": {
                "outcome": self.before,
                "reason": self.before_reason,
                "score": finite(self.before_score),
                "threshold": finite(self.before_threshold),
            },
            "after": {
                "outcome": self.after.outcome.value,
                "reason": reason.code.value if reason else "",
                "score": finite(self.after.score),
                "threshold": finite(self.after.threshold),
            },
            "rung": self.rung,
            "tooCloseToTell": self.close,
            "approximate": self.approximate,
            "overlay": self.overlay,
        }


@dataclass(frozen=True)
class Preview:
    """All verdicts of the time, replayed. changes: those with another outcome, oldest first, overlays where frames are.

    close: those too close to tell, whatever they came out as. not_replayed: how many could not be, by reason.
    """

    view: str
    card: str
    found: int
    changes: tuple[Replayed, ...]
    close: tuple[Replayed, ...]
    rungs: Mapping[str, int]
    not_replayed: Mapping[str, int]
    folder: Path | None = None
    approximate: int = 0
    transitions: Mapping[str, int] = field(default_factory=dict)

    @property
    def unchanged(self) -> int:
        """How many would be as they were."""
        return self.found - len(self.changes) - sum(self.not_replayed.values())

    def document(self) -> dict[str, Any]:
        """As `preview.json`."""
        return {
            "schema": "lineclear/preview/1",
            "view": self.view,
            "card": self.card,
            "found": self.found,
            "unchanged": self.unchanged,
            "transitions": dict(self.transitions),
            "rungs": dict(self.rungs),
            "notReplayed": dict(self.not_replayed),
            "approximate": self.approximate,
            "changes": [one.document() for one in self.changes],
            "tooCloseToTell": [one.document() for one in self.close],
        }


def counted(changes: tuple[Replayed, ...]) -> dict[str, int]:
    """How often each transition."""
    return dict(sorted(Counter(one.transition for one in changes).items()))
