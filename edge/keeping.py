"""What the station remembers: audit trail, evidence and pool, and who is told of what besides them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from edge.archive import Archive, Purge
from edge.audit import Action, AuditLog
from edge.changeover import Trace
from edge.clearance import Connections, FramePool, summarise_challenge
from edge.config import StationConfig
from edge.health import Health
from edge.loop import EvidenceKeeper, Identity, Witness
from edge.outside import Outside
from edge.pipeline import Judged
from edge.publishers.clearance_payloads import ClearanceProgress
from edge.trail import Trail
from edge.types import Clearance, Frame, Speaker, Verdict


class Keeping:
    """The parts that keep what happened. The archive is to be entered; the rest needs no opening."""

    def __init__(self, config: StationConfig, state_dir: Path, now: Callable[[], datetime]) -> None:
        self.folder = config.archive.folder(state_dir)
        self.trail = Trail(AuditLog(config.audit.folder(state_dir), config.audit), state_dir / "in-force.json", now)
        self.archive = Archive(self.folder, config.archive, now, partial(_purged, self.trail))
        self.keeper = EvidenceKeeper(self.archive, config.pictures.max_width)
        self.pool = FramePool(state_dir / "pool", self.folder)

    @property
    def witness(self) -> Witness:
        """Its figures and alarms; asked for its alarms, it also looks at the clock."""

        def alarms() -> dict[str, str | None]:
            self.trail.watch_clock()
            return {"audit": self.trail.alarm, "evidence": self.archive.alarm}

        return Witness(lambda: {**self.trail.health(), **self.archive.health()}, alarms)


def verdict_sink(kept: Keeping, outside: Outside) -> Callable[[Verdict, Frame | None, Judged | None], None]:
    """Tells each recorded verdict to the archive and to the outside."""

    def told(verdict: Verdict, frame: Frame | None, judged: Judged | None) -> None:
        kept.keeper.verdict(verdict, frame, judged)
        outside.verdict(verdict, frame, judged)

    return told


def connections(config: StationConfig, identity: Identity, kept: Keeping, outside: Outside, health: Health) -> Connections:
    """Who takes part in clearances besides the views."""

    def progressed(progress: ClearanceProgress) -> None:
        kept.keeper.occasion(progress)
        outside.progress(progress)

    def answered(clearance: Clearance) -> None:
        health.clearance(clearance)
        kept.trail.answered(clearance)
        kept.keeper.clearance(clearance)
        outside.answered(clearance)

    return Connections(
        checks=(kept.trail.fitness,),
        may=config.commands.person_may,
        pool=kept.pool.take,
        on_progress=progressed,
        on_result=answered,
        on_challenge=lambda who, found: kept.trail.challenged(who, summarise_challenge(found)),
        speaker=Speaker(identity.topic, identity.versions, identity.config_hash),
    )


def trace_of(kept: Keeping, outside: Outside) -> Trace:
    """Told before a changeover; what it raises forbids it."""

    def trace(product: str, before: Mapping[str, str], after: Mapping[str, str], who: str, why: str) -> None:
        kept.trail.change(Action.CHANGEOVER, who=who, subject=product, why=why, before=dict(before), after=dict(after))
        outside.changing(product)

    return trace


def settling(kept: Keeping, outside: Outside) -> Callable[[Mapping[str, str] | None], None]:
    """Told after a changeover, or that it did not come about."""

    def settled(recipes: Mapping[str, str] | None) -> None:
        kept.trail.changed_over(recipes)
        outside.settled(recipes is not None)

    return settled


def _purged(trail: Trail, purge: Purge) -> None:
    trail.change(Action.PURGE, who="archive", subject="archive", why=purge.why, before=None, after=purge.document())
