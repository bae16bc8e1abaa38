"""What asks a running station from outside and what shows it there: commands, triggers, output lines, OPC UA."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from edge.asking import Inside, command_parts
from edge.clearance import Handle, read_order
from edge.commands import Commands, SnapshotPictures
from edge.config import StationConfig
from edge.errors import ConfigError
from edge.io.outputs import Outputs
from edge.io.triggers import Triggers
from edge.loop import Identity, Station, Witness, view_state
from edge.opcua import OpcUa, Reply, StartOrder
from edge.pipeline import Judged
from edge.publishers.base import Channel, Incoming, Publisher
from edge.publishers.clearance_payloads import ClearanceProgress
from edge.publishers.station_payloads import StationStatus, ViewState
from edge.types import Clearance, Frame, Verdict

Values = dict[str, float | int | str | bool | None]


class Outside:
    """Make it before the publisher opens (it begins to listen), enter `lines` before the clearances open, and `doors` last.

    config: what it does not name is not there. now: wall clock. product: in force at the start. ConfigError: a package is
    missing, or a trigger waits for messages where there is no broker.
    """

    def __init__(
        self,
        config: StationConfig,
        publisher: Publisher,
        state_dir: Path,
        now: Callable[[], datetime],
        identity: Identity,
        product: str,
    ) -> None:
        self._config = config
        self._now = now
        self._identity = identity
        self._lock = threading.Lock()
        self._product = self._next_product = product
        self._status = StationStatus.STARTING.value, ""
        self._inside: Inside | None = None
        self._station: Station | None = None
        self._running: str | None = None
        self.commands = Commands(publisher, config.station.topic, state_dir, config.commands, now)
        self.painter = SnapshotPictures(publisher, config.pictures.publish, config.pictures.max_width)
        self._outputs = Outputs(config.outputs, self._why_not, now) if config.outputs is not None else None
        self._triggers = Triggers(config.triggers, self._ask) if config.triggers else None
        self._opcua = OpcUa(config.opcua, config.station.topic, tuple(config.views), self._start) if config.opcua else None
        if self._triggers is not None and self._triggers.topics:
            if config.publisher.kind == "memory" or not isinstance(publisher, Channel):
                remedy = "name a broker (publisher: kind: mqtt), or take the trigger out"
                raise ConfigError("a trigger over MQTT needs a broker", where="triggers", remedy=remedy)
            publisher.listen(self._triggers.topics, self._heard)

    @contextmanager
    def lines(self, station: Station) -> Iterator[None]:
        """The output lines, before a clearance can be answered and until none can be any more."""
        self._station = station
        with ExitStack() as stack:
            stack.callback(self.painter.close)
            if self._outputs is not None:
                stack.enter_context(self._outputs)
            yield

    @contextmanager
    def doors(self, inside: Inside) -> Iterator[None]:
        """Let the outside ask, until the context ends."""
        self._inside = inside
        with ExitStack() as stack:
            if self._triggers is not None:
                stack.enter_context(self._triggers)
            if self._opcua is not None:
                stack.enter_context(self._opcua)
            stack.enter_context(
                self.commands.serving(command_parts(inside, self._config, self.painter, lambda: self._running, self._now))
            )
            yield
        self._inside = None

    def verdict(self, verdict: Verdict, frame: Frame | None, judged: Judged | None) -> None:
        """Each verdict, once it is recorded."""
        self.painter.submit(verdict, frame, judged)
        if self._outputs is not None:
            self._outputs.verdict(verdict)
        if self._opcua is not None:
            self._opcua.verdict(verdict)

    def progress(self, progress: ClearanceProgress) -> None:
        """Each step of a clearance."""
        self._running = progress.request_id or None
        if self._outputs is not None and progress.request_id:
            self._outputs.clearance_started(progress.request_id)
        if self._opcua is not None:
            self._opcua.phase_changed(progress.phase.value, progress.request_id)

    def answered(self, clearance: Clearance) -> None:
        """Each clearance, once it is recorded."""
        if self._outputs is not None:
            self._outputs.clearance_done(clearance)
        if self._opcua is not None:
            self._opcua.clearance_done(clearance)

    def changing(self, product: str) -> None:
        """What judges is about to change: nothing that was clear before is clear now."""
        self._next_product = product
        if self._outputs is not None:
            self._outputs.drop(f"changeover to {product!r}")

    def settled(self, is_changed: bool) -> None:
        """The change that was announced came about, or it did not."""
        if is_changed:
            self._show(product=self._next_product)

    @property
    def witness(self) -> Witness:
        """Its figures and alarms, and who hears the state."""
        return Witness(self._health, self._alarms, self._told)

    def _health(self) -> Values:
        values = dict(self.commands.values())
        for part in (self._outputs, self._triggers, self._opcua):
            if part is not None:
                values |= part.health()
        return values

    def _alarms(self) -> dict[str, str | None]:
        alarms = dict(self.commands.alarms())
        for part in (self._outputs, self._triggers, self._opcua):
            if part is not None:
                alarms |= part.alarms()
        return alarms

    def _told(self, status: StationStatus, views: Sequence[ViewState]) -> None:
        self._show(status=(status.value, "; ".join(f"{view.view}: {view.reason}" for view in views if not view.ready)))
        if self._opcua is not None:
            for view in views:
                self._opcua.view_changed(view.view, view.reason)

    def _show(self, status: tuple[str, str] | None = None, product: str | None = None) -> None:
        """Status and product change in different threads, and are shown together."""
        with self._lock:
            self._status = self._status if status is None else status
            self._product = self._product if product is None else product
            if self._opcua is None:
                return
            more = {"ConfigHash": self._identity.config_hash, "Product": self._product}
            more["Software"] = f"lineclear {self._identity.versions['lineclear']}"
            self._opcua.state_changed(*self._status, self._identity.topic, **more)

    def _why_not(self) -> str:
        """Looked at several times a second by the output lines: no disk, no lock."""
        for view in self._station.views.values() if self._station is not None else ():
            state = view_state(view)
            if not state.ready:
                return f"{state.view}: {state.reason}"
        return "" if self._station is not None else "the station is starting"

    def _heard(self, message: Incoming) -> None:
        if self._triggers is not None:
            self._triggers.receive(message)

    def _ask(self, view: str, frames: int, timeout_s: float, clearance_id: str | None) -> tuple[Future[Verdict], ...]:
        assert self._station is not None, "triggers are entered after the station"  # noqa: S101
        return self._station.ask(view, frames, timeout_s, clearance_id)

    def _start(self, order: StartOrder) -> Reply:
        if self._inside is None:
            return Reply(accepted=False, message="the station is stopping")
        said = {
            "batch": order.batch,
            "product": order.product,
            "operator": order.operator or order.user,
            "request_id": order.request_id,
            "note": f"asked over OPC UA by {order.user}",
        }
        request = read_order(said, "StartClearance", self._config.clearance, self._now()).request()
        accepted = self._inside.clearances.request(request)
        if isinstance(accepted, Handle):
            return Reply(accepted=True, message="repeated" if accepted.repeated else "", result_id=accepted.result_id)
        problems = getattr(accepted, "problems", ())
        return Reply(accepted=False, message="; ".join(problems) or "busy: another clearance is at work")
