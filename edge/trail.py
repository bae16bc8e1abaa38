"""What the station writes into its audit log by itself: start, stop, what came into force, clearances, purges, clock jumps."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from edge.audit import Action, AuditError, AuditLog, EntryRefused
from edge.publishers.payloads import clearance_body
from edge.types import Clearance, ClearanceOutcome, Reason, ReasonCode

log = logging.getLogger(__name__)

STATION: Final = "lineclear"
UNNAMED: Final = "unnamed"
LOG: Final = "audit log"
MAX_MISSED: Final = 100
RETRY_S: Final = 10.0
JUMP_S: Final = 2.0
"""A wall clock that moved so much more or less than the monotonic one was set by somebody."""


class Trail:
    """Keeps the log of one station's life. `change` raises AuditError, so that what cannot be audited is not done; what
    has happened already (a result, a start) is written if it can be, and `trouble` says that it could not.

    in_force_file: what was in force when the station was last heard of, to find what somebody changed meanwhile.
    """

    def __init__(self, audit: AuditLog, in_force_file: Path, now: Callable[[], datetime]) -> None:
        self._audit = audit
        self._file = in_force_file
        self._now = now
        self._trouble: str | None = None
        self._missed: deque[tuple[Action, str]] = deque(maxlen=10_000)
        self._offset_s: float | None = None
        self._try_again_s = 0.0

    def started(
        self, station: str, versions: Mapping[str, str], config_hash: str, recipes: Mapping[str, str], why: str = ""
    ) -> None:
        """The station began to run; and what is in force that was not when it was last heard of. why: in safe mode, why."""
        found = {"config": config_hash, "software": versions.get("lineclear", ""), "recipes": dict(recipes)}
        before = self._before()
        self._note(Action.START, station, why, before, found)
        if before is not None and before.get("config") != config_hash:
            self._note(Action.CONFIG, station, "found changed at the start", before.get("config"), config_hash)
        known = before.get("recipes") if before is not None else None
        for view, recipe in recipes.items():
            if isinstance(known, dict) and known.get(view) != recipe:
                self._note(Action.RECIPE, view, "found changed at the start", known.get(view), recipe)
        if self._trouble is None:  # else the next start must find again what this one could not write down
            self._remember(found)

    def stopped(self, station: str, why: str) -> None:
        """The station ends."""
        self._note(Action.STOP, station, why, None, None)

    def change(self, action: Action, *, who: str, subject: str, why: str, before: Any, after: Any) -> None:
        """A change that is about to be made. AuditError: it must not be."""
        try:
            self._audit.append(action, who=who, subject=subject, why=why, before=before, after=after)
        except EntryRefused:
            raise  # the entry is at fault, not the log: nobody shall stop the station by what they write into a field
        except AuditError as error:
            self._trouble = str(error)
            raise
        self._trouble = None

    def changed_over(self, recipes: Mapping[str, str] | None) -> None:
        """These recipes are in force now, so that the next start does not find them changed; None: the changeover that was
        announced was refused, and all is as it was.
        """
        if recipes is None:
            self._note(Action.CHANGEOVER, "refused", "the change above did not come about", None, None)
            return
        before = self._before() or {}
        self._remember({**before, "recipes": dict(recipes)})

    def answered(self, clearance: Clearance) -> None:
        """A clearance was answered: the log pins the document that was published."""
        body = json.dumps(clearance_body(clearance), sort_keys=True, separators=(",", ":")).encode()
        released = clearance.outcome is ClearanceOutcome.RELEASED_BY
        after = {
            "outcome": clearance.outcome.value,
            "sequence": clearance.sequence,
            "batch": clearance.batch[:200],
            "product": clearance.product,
            "document_sha256": hashlib.sha256(body).hexdigest(),
        }
        action = Action.OVERRIDE if released else Action.CLEARANCE
        self._note(
            action, clearance.result_id, clearance.note, clearance.previous, after, who=clearance.operator.strip() or UNNAMED
        )

    def challenged(self, who: str, views: Mapping[str, Mapping[str, Any]]) -> None:
        """Known frames were judged for themselves, outside a clearance. views: what each gave."""
        self._note(Action.CHALLENGE, "station", "challenge", None, dict(views), who=who.strip() or UNNAMED)

    def watch_clock(self) -> None:
        """Call it now and then: notices that somebody set the clock, and that a log which failed can be written again."""
        if self._trouble is not None and time.monotonic() >= self._try_again_s:
            self._try_again_s = time.monotonic() + RETRY_S
            missed = [f"{action.value} {subject}"[:200] for action, subject in self._missed]
            self._note(Action.REPAIR, LOG, self._trouble, None, {"not_written": missed[-MAX_MISSED:], "count": len(missed)})
        offset_s = self._now().timestamp() - time.monotonic()
        if self._offset_s is not None and abs(offset_s - self._offset_s) > JUMP_S:
            jump_s = round(offset_s - self._offset_s, 1)
            log.warning("clock_jump seconds=%s", jump_s)
            self._note(Action.CLOCK_JUMP, "clock", f"the clock moved by {jump_s} s", None, {"seconds": jump_s})
        self._offset_s = offset_s

    def fitness(self) -> Reason | None:
        """Why no clearance may be signed now: the log cannot be kept. Asked before an answer is given, so the disk is tried."""
        try:
            self._audit.prove()
        except AuditError as error:
            self._trouble = str(error)
        return Reason(ReasonCode.NOT_FIT, self._trouble) if self._trouble is not None else None

    @property
    def alarm(self) -> str | None:
        """What is wrong with the log, None if nothing is."""
        return f"{self._trouble}: clearances are UNDECIDED and changes refused until it is mended" if self._trouble else None

    def health(self) -> dict[str, str]:
        """The head of the chain, by which a truncated log is noticed elsewhere."""
        try:
            return {"audit.anchor": str(self._audit.head() or "")}
        except AuditError as error:
            self._trouble = str(error)
            return {"audit.anchor": ""}

    def _note(self, action: Action, subject: str, why: str, before: Any, after: Any, who: str = STATION) -> None:
        try:
            self.change(action, who=who, subject=subject, why=why, before=before, after=after)
        except AuditError as error:
            log.error("not_audited action=%s why=%s", action.value, error)
            if action is not Action.REPAIR:
                self._missed.append((action, subject))
        else:
            if action is Action.REPAIR:
                self._missed.clear()

    def _before(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _remember(self, found: Mapping[str, Any]) -> None:
        try:
            temporary = self._file.with_suffix(".tmp")
            temporary.write_text(json.dumps(found), "utf-8")
            temporary.replace(self._file)
        except OSError as error:
            log.error("in_force_not_remembered file=%s why=%s", self._file, error)
