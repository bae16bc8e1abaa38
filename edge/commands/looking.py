"""State, snapshot and archive: commands that only look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from edge.archive import ArchiveReader
from edge.commands.base import Done, Handler, Handlers, Later, Order, Outcome
from edge.commands.orders import ArchiveCommand, SnapshotCommand
from edge.commands.refusals import Refused
from edge.commands.results import Entry, Found, Reason, Snapshot, State, StateView, Triggered
from edge.publishers.payloads import utc_text
from edge.publishers.station_payloads import ViewState
from edge.settings.mqtt import topic_level
from edge.types import Verdict

SNAPSHOT_TIMEOUT_S = 10.0


class Painter(Protocol):
    """Publishes frame and overlay of a snapshot: `SnapshotPictures`."""

    def expect(self, view: str) -> None:
        """A snapshot of this view is about to be taken; `want` follows."""
        ...

    def want(self, result_id: str, view: str) -> tuple[str, ...]:
        """It is the verdict with this result_id; the topics on which its pictures follow. Never blocks."""
        ...


class Keeper(Protocol):
    """Puts a snapshot's evidence into the archive: `edge.loop.asked.AskedFor`."""

    def expect(self, view: str) -> None:
        """A snapshot of this view is about to be taken; `keep` follows."""
        ...

    def keep(self, result_id: str, view: str) -> None:
        """It is this one. Never blocks."""
        ...


class Asked(Protocol):
    """A running station: `edge.loop.Station`."""

    def ask(self, view: str, frames: int, timeout_s: float, clearance_id: str | None) -> tuple[Future[Verdict], ...]:
        """Trigger fresh frames of a view; one future each."""
        ...


@dataclass(frozen=True, eq=False)
class Looking:
    """What the station shows of itself. views: every view as it is now. product: in force. clearance: the running one's
    request_id, None if there is none. shown: told that a frame was shown (result_id, view, when it was grabbed), so that
    a person may answer for it.
    """

    station: Asked
    views: Callable[[], Sequence[ViewState]]
    product: Callable[[], str]
    clearance: Callable[[], str | None] = lambda: None
    painter: Painter | None = None
    shown: Callable[[str, str, datetime], object] | None = None
    archive: ArchiveReader | None = None
    keeper: Keeper | None = None


def looking_handlers(looking: Looking) -> Handlers:
    """The commands that only look."""
    seen = _Seen(looking)
    handlers = {"state": Handler(seen.state), "snapshot": Handler(seen.snapshot)}
    return handlers if looking.archive is None else {**handlers, "archive": Handler(seen.archive, "query")}


@dataclass(frozen=True, eq=False)
class _Seen:
    looking: Looking

    def state(self, _order: Order) -> Outcome:
        views = tuple(
            StateView(
                view=state.view,
                ready=state.ready,
                reason=state.reason,
                camera=state.camera,
                product=state.product,
                recipe=state.recipe,
                recipe_version=state.recipe_version,
                bundle=state.bundle,
                engine=state.engine,
                camera_adjusted=dict(state.camera_adjusted),
            )
            for state in self.looking.views()
        )
        ready = all(view.ready for view in views)
        return Done(State(product=self.looking.product(), ready=ready, clearance=self.looking.clearance(), views=views))

    def snapshot(self, order: Order) -> Outcome:
        command = order.as_(SnapshotCommand)
        view, keeper = command.view, self.looking.keeper if command.keep else None
        known = [state.view for state in self.looking.views()]
        if view not in known:
            raise Refused("refused", f"there is no view {view!r}", remedy=f"there are {', '.join(known)}")
        if self.looking.painter is not None:
            self.looking.painter.expect(view)
        if keeper is not None:
            keeper.expect(view)
        (answer,) = self.looking.station.ask(view, 1, SNAPSHOT_TIMEOUT_S, None)

        def done(verdict: Verdict) -> Done:
            if keeper is not None:
                keeper.keep(verdict.result_id, verdict.view)
            return self._shown(verdict)

        return Later(Triggered(view=view), answer, done)

    def _shown(self, verdict: Verdict) -> Done:
        painter, grabbed_at, reason = self.looking.painter, verdict.origin.grabbed_at, verdict.reason
        topics = painter.want(verdict.result_id, verdict.view) if painter is not None else ()
        has_frame = grabbed_at is not None
        if grabbed_at is not None and topics and self.looking.shown is not None:
            self.looking.shown(verdict.result_id, verdict.view, grabbed_at)
        return Done(
            Snapshot(
                view=verdict.view,
                result_id=verdict.result_id,
                outcome=verdict.outcome.value,
                reason=Reason(code=reason.code.value, detail=reason.detail) if reason is not None else None,
                images=topics if has_frame else (),
            )
        )

    def archive(self, order: Order) -> Outcome:
        command, reader = order.as_(ArchiveCommand), self.looking.archive
        if reader is None:
            raise Refused("refused", "this station keeps no archive", remedy="see `archive` in its configuration")
        wanted: dict[str, Any] = command.model_dump(include={"view", "batch", "outcome", "kind", "since", "until"})
        found = reader.find(**wanted, limit=command.limit + 1)
        entries = tuple(
            Entry(
                result_id=entry.result_id,
                kind=entry.kind,
                view=entry.view,
                outcome=entry.outcome,
                reason=entry.reason,
                batch=entry.batch,
                product=entry.product,
                decided_at=utc_text(entry.decided_at),
                files=tuple(sorted(entry.files)),
            )
            for entry in found[: command.limit]
        )
        return Done(Found(entries=entries, more=len(found) > command.limit))


def image_topics(view: str, kinds: Sequence[str]) -> tuple[str, ...]:
    """Where the pictures of a view go, below the station's root."""
    return tuple(f"view/{topic_level(view)}/image/{kind}" for kind in kinds)
