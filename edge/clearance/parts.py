"""What a station's clearances are made of beyond asking views: fitness, challenge, memory, reviews, listeners."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.clearance.base import Heard, HeardChallenge, Listener
from edge.clearance.book import Book
from edge.clearance.challenge import Challenger
from edge.clearance.fitness import Fitness
from edge.clearance.review import Reviewer
from edge.types import Speaker


@dataclass(frozen=True, eq=False)
class Parts:
    """What is absent is not done: without fitness a station is always fit, without book nothing outlives the process.

    book: opened. on_progress: hears every step. on_result: hears each result once it is durable, in the clearance's thread.
    on_challenge: hears each challenge that was asked for by itself.
    """

    fitness: Fitness | None = None
    challenger: Challenger | None = None
    book: Book | None = None
    speaker: Speaker = field(default_factory=Speaker)
    reviewer: Reviewer = field(default_factory=Reviewer)
    on_progress: Listener | None = None
    on_result: Heard | None = None
    on_challenge: HeardChallenge | None = None
