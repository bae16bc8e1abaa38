"""From a running station and its config to its clearances: the one place that names their parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from edge.clearance.base import AskedStation, Check, ClearanceSettings, Heard, HeardChallenge, Listener, PoolEntry
from edge.clearance.book import Book
from edge.clearance.challenge import Challenger
from edge.clearance.clearances import Clearances
from edge.clearance.fitness import Fitness
from edge.clearance.parts import Parts
from edge.clearance.review import Reviewer, Snapshots
from edge.clearance.seats import LiveProducts
from edge.clearance.sequence import Sequence as Numbers
from edge.publishers.base import Publisher
from edge.settings.clearance import ClearanceConfig
from edge.types import Speaker

BOOK, SEQUENCE = "clearances.sqlite3", "clearance-sequence.json"


@dataclass(frozen=True, eq=False)
class Connections:
    """Who else takes part. checks: more conditions of fitness (audit). may: (who, right) -> whether they have the right,
    which here is `release`; None: nobody has it. pool: takes the frames of released views. on_progress: hears
    every step. on_result: hears each result once it is durable, in the clearance's thread (what a former life left
    unanswered: UNDECIDED, while the clearances are opened or asked; it must not ask them anything). on_challenge: hears who
    asked for a challenge by itself, and what it gave.
    """

    checks: Sequence[Check] = ()
    may: Callable[[str, str], bool] | None = None
    pool: Callable[[PoolEntry], None] | None = None
    on_progress: Listener | None = None
    on_result: Heard | None = None
    on_challenge: HeardChallenge | None = None
    speaker: Speaker = field(default_factory=Speaker)


@contextmanager
def open_clearances(
    station: AskedStation,
    publisher: Publisher,
    state_dir: Path,
    config: ClearanceConfig,
    connections: Connections | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> Iterator[Clearances]:
    """The clearances of a station that runs; leave it before the station. OutboxError: state_dir cannot be written."""
    others = connections or Connections()
    with Book(state_dir / BOOK, config.remember) as book:
        fitness = Fitness(station.views, state_dir, config.min_free_bytes, book.last_time, others.checks, now)
        parts = Parts(
            fitness=fitness,
            challenger=Challenger(station.views, station.examine, book, config.challenge, now, others.speaker),
            book=book,
            speaker=others.speaker,
            reviewer=Reviewer(config.review, Snapshots(), others.may, others.pool),
            on_progress=others.on_progress,
            on_result=others.on_result,
            on_challenge=others.on_challenge,
        )
        sequence, settings = Numbers(state_dir / SEQUENCE), ClearanceSettings.of(config)
        views = LiveProducts(station.views)
        with Clearances(station.ask, views, publisher, sequence, settings, now, parts) as clearances:
            yield clearances
