"""From a config to a station's commands: the one place that names their parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from edge.commands.asking import Clearing, clearing_handlers
from edge.commands.base import Audit, Handlers
from edge.commands.changing import Selecting, revising_handlers, selecting_handlers
from edge.commands.desk import CommandDesk
from edge.commands.ledger import Ledger
from edge.commands.looking import Looking, looking_handlers
from edge.commands.names import INSTANCE_VALUE, NAME_ALARM, NameWatch, new_instance
from edge.commands.revising import Reload, Revisions, View
from edge.publishers.base import Channel, Publisher
from edge.publishers.station_payloads import HEALTH_TOPIC
from edge.settings.commands import CommandSettings

LEDGER: Final = "commands.sqlite3"
MEMORY_ALARM: Final = "commands"


@dataclass(frozen=True, eq=False)
class Parts:
    """What the commands work on. What is None is refused by name. views, reload: for threshold and mask. more: handlers that
    are there already.
    """

    audit: Audit
    looking: Looking
    clearing: Clearing | None = None
    selecting: Selecting | None = None
    views: Mapping[str, View] | None = None
    reload: Reload | None = None
    more: Handlers = field(default_factory=dict)


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class Commands:
    """A station's commands. Make it before the publisher opens (it begins to listen), then `serving` while it runs."""

    def __init__(
        self,
        publisher: Publisher,
        root: str,
        state_dir: Path,
        settings: CommandSettings,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        """root: the station's topic. A publisher that is no Channel hears nothing: then there are no commands."""
        self.instance = new_instance()
        self._settings = settings
        self._now = now
        self._watch = NameWatch(self.instance, root)
        self._desk: CommandDesk | None = None
        if isinstance(publisher, Channel):
            ledger = Ledger(state_dir / LEDGER, settings.remember)
            self._desk = CommandDesk(publisher, root, settings, ledger, now, self._watch.hear)
            self._desk.listen(HEALTH_TOPIC)

    @contextmanager
    def serving(self, parts: Parts) -> Iterator[None]:
        """Do commands until the context ends; leave it before clearances and station. Never raises."""
        if self._desk is None:
            yield
            return
        with self._desk.serving(self._handlers(parts) if self._settings.enabled else {}):
            yield

    def values(self) -> dict[str, float | int | str | bool | None]:
        """For the health message: the instance, and how often which command ended how."""
        counts = self._desk.values() if self._desk is not None else {}
        return {INSTANCE_VALUE: self.instance, **counts}

    def alarms(self) -> dict[str, str | None]:
        """station_name_conflict: another station has this one's name. commands: none can be remembered, so none is done."""
        return {NAME_ALARM: self._watch.alarm, MEMORY_ALARM: self._desk.trouble if self._desk is not None else None}

    def _handlers(self, parts: Parts) -> Handlers:
        handlers = {**parts.more, **looking_handlers(parts.looking)}
        if parts.clearing is not None:
            handlers |= clearing_handlers(parts.clearing, parts.audit)
        if parts.selecting is not None:
            handlers |= selecting_handlers(parts.selecting)
        if parts.views is not None and parts.reload is not None:
            revisions = Revisions(parts.views, parts.reload, parts.audit, self._now)
            handlers |= revising_handlers(revisions, self._settings.threshold_headroom)
        return handlers
