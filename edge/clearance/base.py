"""Words of a clearance: what it asks of a station, what it finds there, and what people may say to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from edge.cameras.base import Camera
from edge.pipeline import ViewPipeline
from edge.publishers.clearance_payloads import ClearanceProgress
from edge.settings.clearance import BESIDE_FRAMES_S, ClearanceConfig
from edge.settings.judging import VoteRule
from edge.types import ChallengeResult, Clearance, ImageU8, Judgement, Origin, Reason, Verdict, ViewParts

Ask = Callable[[str, int, float, "str | None"], "tuple[Future[Verdict], ...]"]
"""(view, frames, timeout_s, clearance_id) -> one future per frame: what a Station offers."""

Examine = Callable[[str, ImageU8], "Future[Any]"]
"""(view, image) -> something with a `judgement`: what Station.examine offers."""

Check = Callable[[], "Reason | None"]
"""One more condition of fitness: None if it is met, else why not. LineclearError counts as not met."""

Heard = Callable[[Clearance], None]
"""Told each result once it is durable."""


Listener = Callable[[ClearanceProgress], None]
"""Hears every step of a clearance, and when there is none."""


class Seat(Protocol):
    """One view of a running station. The values change while it runs: a changeover brings another pipeline."""

    @property
    def camera(self) -> Camera:
        """Its camera; one that is supervised has a `state`."""
        ...

    @property
    def origin(self) -> Origin:
        """Names of the parts in use."""
        ...

    @property
    def product(self) -> str:
        """What its recipe is for, "" for any product."""
        ...

    @property
    def blocked(self) -> Judgement | None:
        """Why it cannot judge (recipe, engine), None if it can."""
        ...

    @property
    def pipeline(self) -> ViewPipeline | None:
        """What judges its frames, None before its engine is open."""
        ...


class AskedStation(Protocol):
    """A running station, as far as clearances need it."""

    @property
    def views(self) -> Mapping[str, Seat]:
        """Every view by its name."""
        ...

    def ask(self, view: str, frames: int, timeout_s: float, clearance_id: str | None) -> tuple[Future[Verdict], ...]:
        """Trigger fresh frames of a view; one future each."""
        ...

    def examine(self, view: str, image: ImageU8) -> Future[Any]:
        """Judge an image as if the view's camera had given it."""
        ...


@dataclass(frozen=True)
class ClearanceSettings:
    """How many frames per view, how they vote, and how long a view and the whole may take (None: timeout_s and a minute)."""

    vote: VoteRule = field(default_factory=lambda: VoteRule(frames=1, pass_votes=1, fail_votes=1))
    timeout_s: float = 10.0
    total_timeout_s: float | None = None

    @classmethod
    def of(cls, config: ClearanceConfig) -> ClearanceSettings:
        """What the config says."""
        return cls(config.vote, config.timeout_s, config.total_timeout_s)

    @property
    def whole_s(self) -> float:
        """How long the whole may take."""
        return self.total_timeout_s if self.total_timeout_s is not None else self.timeout_s + BESIDE_FRAMES_S


@dataclass(frozen=True)
class Fit:
    """Whether a station is fit. station: what concerns every view. views: per view that is not fit. parts: per view."""

    station: tuple[Reason, ...] = ()
    views: Mapping[str, Reason] = field(default_factory=dict)
    parts: Mapping[str, ViewParts] = field(default_factory=dict)


@dataclass(frozen=True)
class Challenged:
    """What is known of one view: its challenge, and why it does not stand, None if it does. fresh: run just now."""

    view: str
    result: ChallengeResult | None
    reason: Reason | None
    fresh: bool = True


HeardChallenge = Callable[[str, Mapping[str, Challenged]], None]
"""Told each challenge that was asked for by itself: who asked, and what each view gave."""


@dataclass(frozen=True)
class Snapshot:
    """A live frame of one view that was shown to a person. taken_at: when it was grabbed, UTC."""

    result_id: str
    view: str
    taken_at: datetime


@dataclass(frozen=True)
class PoolEntry:
    """Frames of a released view, to be looked at when its thresholds are taken again. result_ids: of their verdicts."""

    view: str
    result_ids: tuple[str, ...]
    clearance: str
    snapshot: str
    who: str
    why: str
