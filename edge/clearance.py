"""All views -> one Clearance: fresh frames of every view, voted k of n, never CLEAR while anything is unknown."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from edge.errors import OutboxError
from edge.publishers.base import Publisher
from edge.publishers.payloads import clearance_record
from edge.settings.judging import VoteRule
from edge.types import Clearance, ClearanceOutcome, Outcome, Reason, ReasonCode, Verdict, ViewResult
from edge.verdict import clear, vote

log = logging.getLogger(__name__)

Ask = Callable[[str, int, float, "str | None"], "tuple[Future[Verdict], ...]"]
"""(view, frames, timeout_s, clearance_id) -> one future per frame: what a Station offers."""

GRACE_S = 2.0
"""How long a clearance waits beyond its time-out for verdicts that the station is already making."""


@dataclass(frozen=True)
class ClearanceRequest:
    """Who asks, for what. request_id comes back in the result, so that the asker knows its own answer."""

    request_id: str
    batch: str
    product: str
    operator: str = ""
    note: str = ""


class Sequence:
    """A number that only grows, kept on disk: a PLC that sees the last number again knows that nothing is new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def next(self) -> int:
        """The next number, durable before it is returned. OutboxError if it cannot be kept."""
        with self._lock:
            try:
                last = int(json.loads(self._path.read_text())["sequence"]) if self._path.exists() else 0
                temporary = self._path.with_suffix(".tmp")
                with temporary.open("w") as file:
                    json.dump({"sequence": last + 1}, file)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self._path)
                folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.fsync(folder)  # else a power cut may bring the old number back
                finally:
                    os.close(folder)
            except (OSError, ValueError, KeyError, TypeError) as error:
                # Starting again from 1 would let a PLC mistake an old answer for a new one.
                remedy = "free the disk or mend the file; set it to a number above the last one that the PLC saw"
                raise OutboxError(f"the clearance sequence is lost ({error})", where=str(self._path), remedy=remedy) from None
            return last + 1


@dataclass(frozen=True)
class ClearanceSettings:
    """How many frames per view, how they vote, and how long a view may take."""

    vote: VoteRule = field(default_factory=lambda: VoteRule(frames=1, pass_votes=1, fail_votes=1))
    timeout_s: float = 10.0


class Clearances:
    """Runs clearances, one at a time."""

    def __init__(
        self,
        ask: Ask,
        views: Mapping[str, str],
        publisher: Publisher,
        sequence: Sequence,
        settings: ClearanceSettings,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        """views: view name -> the product of the recipe in use, "" where it is for any."""
        self._ask = ask
        self._views = views
        self._publisher = publisher
        self._sequence = sequence
        self._settings = settings
        self._now = now
        self._one_at_a_time = threading.Lock()

    def run(self, request: ClearanceRequest) -> Clearance:
        """One clearance, recorded; a result that could not be recorded is UNDECIDED."""
        with self._one_at_a_time:
            requested_at = self._now()
            clearance_id = f"{requested_at:%Y%m%dT%H%M%S%f}"
            deadline = time.monotonic() + self._settings.timeout_s
            frames = self._settings.vote.frames
            asked = {
                view: self._ask(view, frames, self._settings.timeout_s, clearance_id)
                for view, product in self._views.items()
                if product in ("", request.product)
            }
            views = tuple(
                self._view(name, asked.get(name), deadline, request.product, product) for name, product in self._views.items()
            )
            return self._record(request, clearance_id, requested_at, views)

    def _view(
        self, name: str, asked: tuple[Future[Verdict], ...] | None, deadline: float, wanted: str, loaded: str
    ) -> ViewResult:
        if asked is None:
            detail = f"the recipe in use is for product {loaded!r}, the clearance was asked for {wanted!r}"
            return ViewResult(name, Outcome.UNDECIDED, Reason(ReasonCode.RECIPE_INVALID, detail), ())
        verdicts: list[Verdict] = []
        for future in asked:
            try:
                verdicts.append(future.result(max(0.0, deadline + GRACE_S - time.monotonic())))
            except FutureTimeout:
                detail = f"no verdict within {self._settings.timeout_s:g} s"
                return ViewResult(name, Outcome.UNDECIDED, Reason(ReasonCode.FRAME_TIMEOUT, detail), tuple(verdicts))
        outcome, reason = vote([verdict.judgement for verdict in verdicts], self._settings.vote)
        return ViewResult(name, outcome, reason, tuple(verdicts))

    def _record(
        self, request: ClearanceRequest, clearance_id: str, requested_at: datetime, views: tuple[ViewResult, ...]
    ) -> Clearance:
        clearance = Clearance(
            result_id=f"clearance-{clearance_id}",
            request_id=request.request_id,
            sequence=0,
            outcome=ClearanceOutcome.UNDECIDED,
            batch=request.batch,
            product=request.product,
            operator=request.operator,
            views=views,
            requested_at=requested_at,
            decided_at=self._now(),
            note=request.note,
        )
        try:
            sequence = self._sequence.next()
            outcome = clear(views, tuple(self._views))
            decided = replace(clearance, sequence=sequence, outcome=outcome)
            self._publisher.publish(clearance_record(decided))
        except OutboxError as error:
            log.error("clearance_not_recorded request_id=%s why=%s", request.request_id, error)
            reason = Reason(ReasonCode.NOT_RECORDED, str(error))
            return replace(clearance, views=(*views, ViewResult("(station)", Outcome.UNDECIDED, reason, ())))
        return decided


def describe(clearance: Clearance) -> str:
    """The clearance as lines for a person: the answer first, then each view with its reason and regions."""
    lines = [f"{clearance.outcome.value}  batch {clearance.batch}  product {clearance.product}  #{clearance.sequence}"]
    for view in clearance.views:
        reason = f"  {view.reason.code.value}: {view.reason.detail}" if view.reason else ""
        lines.append(f"  {view.view}: {view.outcome.value}{reason}")
        for verdict in view.verdicts:
            judgement = verdict.judgement
            score = "-" if judgement.score is None else f"{judgement.score:.3f}"
            threshold = "-" if judgement.threshold is None else f"{judgement.threshold:.3f}"
            lines.append(f"    frame {verdict.origin.frame}: {verdict.outcome.value}  score {score}  threshold {threshold}")
            for region in judgement.regions[:5]:
                box = region.box
                size = f"{box.width:.0f}x{box.height:.0f} px"
                lines.append(f"      at ({box.x:.0f}, {box.y:.0f}) size {size}  peak {region.peak:.3f}")
    return "\n".join(lines) + "\n"
