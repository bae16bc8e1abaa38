"""Known good and known bad frames through the same path as the camera's, to prove that each view still tells them apart."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from edge.clearance.base import Challenged, Examine, Seat
from edge.clearance.book import Book
from edge.clearance.seats import parts_of
from edge.errors import OutboxError, RecipeError
from edge.publishers.clearance_payloads import read_challenge
from edge.publishers.payloads import challenge_body
from edge.recipe import challenge as kept
from edge.recipe import hash_of
from edge.settings.clearance import ChallengeConfig
from edge.types import ChallengeImage, ChallengeResult, ImageU8, Judgement, Outcome, Reason, ReasonCode, Speaker

MAX_DECODED_BYTES = 256 * 1024**2
STEADY = "steady"


@dataclass(frozen=True, eq=False)
class _Sent:
    """A frame that is being judged."""

    frame: kept.ChallengeFrame
    answer: Future[Any]


class Challenger:
    """Runs challenges and remembers the last one of each view in the book. One thread uses it at a time."""

    def __init__(
        self,
        seats: Mapping[str, Seat],
        examine: Examine,
        book: Book,
        config: ChallengeConfig,
        now: Callable[[], datetime],
        speaker: Speaker | None = None,
        steady: Callable[[], tuple[str, float]] | None = None,
    ) -> None:
        """steady: which boot this is ("" where nobody knows), and a clock that only goes on, in seconds."""
        self._steady = steady or _since_boot
        self._seats = seats
        self._examine = examine
        self._book = book
        self._config = config
        self._now = now
        self._speaker = speaker or Speaker()
        self._decoded: dict[str, ImageU8] = {}

    def needed(self) -> dict[str, Challenged]:
        """What a clearance must know of its views: empty if no challenge is required, else the last one where it holds.

        A view whose Challenged has neither result nor reason must be challenged now.
        """
        if self._config.required == "never":
            return {}
        return {view: Challenged(view, self._holding(view), None, fresh=False) for view in self._seats}

    def run(self, views: Collection[str], deadline: float, stop: Future[Any]) -> dict[str, Challenged]:
        """Challenge these views now and remember the outcome. deadline: monotonic seconds. stop: ends it when done."""
        return {view: self._challenge(view, deadline, stop) for view in views}

    def _holding(self, view: str) -> ChallengeResult | None:
        """The last challenge, if it passed, is young enough, and nothing that it depends on has changed."""
        if self._config.required == "always":
            return None
        try:
            body = self._book.challenge(view)
            last = read_challenge(view, body) if body is not None else None
        except (OutboxError, KeyError, TypeError, ValueError):
            return None  # what cannot be read proves nothing: it is run again
        if last is None or last.failed or last.key != self._key(view):
            return None
        age, limit = self._now() - last.at, timedelta(hours=self._config.max_age_h)
        steady = self._steady_age(body)
        return last if timedelta(0) <= age <= limit and (steady is None or timedelta(0) <= steady <= limit) else None

    def _steady_age(self, body: Mapping[str, Any] | None) -> timedelta | None:
        """How old a challenge is by the clock that nobody can set; None if the machine was started again since."""
        boot, steady_s = self._steady()
        then = body.get(STEADY) if body is not None else None
        if not isinstance(then, dict) or not boot or then.get("boot") != boot:
            return None
        started_s = then.get("s")
        return timedelta(seconds=steady_s - started_s) if isinstance(started_s, float) else timedelta(-1)

    def _challenge(self, view: str, deadline: float, stop: Future[Any]) -> Challenged:
        pipeline = self._seats[view].pipeline
        if pipeline is None:
            return Challenged(view, None, Reason(ReasonCode.CHALLENGE_FAILED, "the view has no recipe that can judge"))
        folder = pipeline.recipe.folder / kept.FOLDER
        key = self._key(view)
        try:
            document = kept.read_challenge(folder)
        except RecipeError as error:
            return Challenged(view, None, Reason(ReasonCode.CHALLENGE_FAILED, str(error)))
        if document is None or not document.is_complete:
            remedy = "add them: lineclear-calibrate challenge"
            detail = f"the recipe needs a known good and a known bad frame: {remedy}"
            return Challenged(view, None, Reason(ReasonCode.CHALLENGE_MISSING, detail))
        images = tuple(self._images(view, folder, document, deadline, stop))
        if key != self._key(view):
            detail = "the recipe changed while it was challenged: ask again"
            return Challenged(view, None, Reason(ReasonCode.CHALLENGE_FAILED, detail))
        result = ChallengeResult(view, self._now(), key, images)
        if len(images) < len(document.frames):
            # Half a challenge must not be remembered: it could hold for a whole one.
            detail = f"{len(images)} of {len(document.frames)} frames were judged before it was stopped"
            return Challenged(view, result, Reason(ReasonCode.CHALLENGE_FAILED, detail))
        try:
            boot, steady_s = self._steady()
            self._book.keep_challenge(view, {**challenge_body(result), STEADY: {"boot": boot, "s": steady_s}})
        except OutboxError as error:
            return Challenged(view, result, Reason(ReasonCode.NOT_RECORDED, str(error)))
        return Challenged(view, result, _failure(result, {frame.file: frame.note for frame in document.frames}))

    def _images(
        self, view: str, folder: Path, document: kept.ChallengeFile, deadline: float, stop: Future[Any]
    ) -> Iterator[ChallengeImage]:
        """One answer per frame; the next file is read while the judge has the one before."""
        before: _Sent | None = None
        for frame in document.frames:
            if stop.done() or time.monotonic() >= deadline:
                break
            try:
                image = kept.read_frame(folder, frame, self._decoded)
            except RecipeError as error:
                yield _unanswered(frame, ReasonCode.RECIPE_INVALID, str(error))
                continue
            self._keep(frame.sha256, image)
            sent = _Sent(frame, self._examine(view, image))
            if before is not None:
                yield _answered(before, deadline, stop)
            before = sent
        if before is not None:
            yield _answered(before, deadline, stop)

    def _keep(self, sha256: str, image: ImageU8) -> None:
        """The decoded frames of the last challenges, the oldest let go first: a full-size PNG takes longer than its verdict."""
        self._decoded[sha256] = image
        while sum(known.nbytes for known in self._decoded.values()) > MAX_DECODED_BYTES:
            del self._decoded[next(iter(self._decoded))]

    def _key(self, view: str) -> str:
        """Hash of everything that a challenge's answer depends on."""
        parts = parts_of(self._seats[view])
        names = [view, parts.product, parts.recipe, parts.recipe_version, parts.bundle, parts.engine]
        whole = {"names": names, "hashes": dict(parts.hashes), "frames": self._frames_hash(view)}
        return hash_of({**whole, "versions": dict(self._speaker.versions), "config": self._speaker.config_hash})

    def _frames_hash(self, view: str) -> str:
        """Of the list of known frames, which pins each of them; "" where there is none that can be read."""
        pipeline = self._seats[view].pipeline
        if pipeline is None:
            return ""
        try:
            return hashlib.sha256((pipeline.recipe.folder / kept.FOLDER / kept.FILE).read_bytes()).hexdigest()
        except OSError:
            return ""


def _since_boot() -> tuple[str, float]:
    boot = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return boot, time.clock_gettime(time.CLOCK_BOOTTIME)


def _answered(sent: _Sent, deadline: float, stop: Future[Any]) -> ChallengeImage:
    wait([sent.answer, stop], timeout=max(0.0, deadline - time.monotonic()), return_when=FIRST_COMPLETED)
    if not sent.answer.done():
        return _unanswered(sent.frame, ReasonCode.FRAME_TIMEOUT, "no answer came in time")
    judgement: Judgement = sent.answer.result().judgement
    frame = sent.frame
    return ChallengeImage(
        frame.file,
        frame.sha256,
        Outcome(frame.expected),
        judgement.outcome,
        judgement.reason,
        judgement.score,
        judgement.threshold,
    )


def _unanswered(frame: kept.ChallengeFrame, code: ReasonCode, detail: str) -> ChallengeImage:
    expected = Outcome(frame.expected)
    return ChallengeImage(frame.file, frame.sha256, expected, Outcome.UNDECIDED, Reason(code, detail))


def _failure(result: ChallengeResult, notes: Mapping[str, str]) -> Reason | None:
    """Which frame did not give what it must, None if every one did."""
    lines = []
    for image in result.failed:
        why = f" ({image.reason.code.value}: {image.reason.detail})" if image.reason is not None else ""
        if image.score is not None and image.threshold is not None:
            why += f" (score {image.score:.4g}, threshold {image.threshold:.4g})"
        note = f" ({notes[image.file]})" if notes.get(image.file) else ""
        lines.append(f"{image.file}{note}: must be {image.expected.value}, was {image.got.value}{why}")
    return Reason(ReasonCode.CHALLENGE_FAILED, "; ".join(lines)) if lines else None
