"""The desk where commands come in: each gets one answer, and none of them ever waits in the way of the judge.

`receive` runs in the sender's thread and only puts the message in line; one thread looks at them, and what takes longer is
done in another, so that a cancel never waits behind a changeover.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from edge.commands.base import Busy, Done, Handlers, Later, Order, Outcome
from edge.commands.envelope import Letter, read, reply_topic
from edge.commands.gate import Admitted, Gate
from edge.commands.lanes import Bucket, Lane, Tally
from edge.commands.ledger import Ledger
from edge.commands.orders import COMMANDS
from edge.commands.refusals import Refused
from edge.commands.replies import Reply, ReplyError, Status, error_of, now_text, reply_body
from edge.errors import LineclearError, StationBusy
from edge.publishers.base import Answer, Channel, Incoming
from edge.settings.commands import CommandSettings

log = logging.getLogger(__name__)

PREFIX: Final = "cmd/"
TOPICS: Final = ("cmd/+",)
STOP_S: Final = 5.0
IN_WORK: Final = 32
"""How many commands may be begun and not answered (clearances, snapshots)."""
_REFUSALS_PER_S: Final = 5.0
_OTHERS_PER_S: Final = 2.0
_LINES: Final[Mapping[str, int]] = {"query": 8, "long": 8}


@dataclass(frozen=True)
class Address:
    """Where a reply goes and what it repeats. topic "": nowhere, nobody can be told."""

    topic: str
    correlation: bytes
    command: str
    client: str
    request_id: str


class CommandDesk:
    """Make it, `listen` before the publisher opens, then `serving` while the station runs."""

    def __init__(
        self,
        channel: Channel,
        root: str,
        settings: CommandSettings,
        ledger: Ledger,
        now: Callable[[], datetime],
        hear: Callable[[Incoming], None] | None = None,
    ) -> None:
        """root: the station's topic. hear: gets what comes in besides commands (NameWatch), in the desk's thread."""
        self._channel = channel
        self._root = root
        self._settings = settings
        self._ledger = ledger
        self._now = now
        self._hear = hear
        self._gate = Gate(settings, root, ledger, now)
        self._tally = Tally(tuple(COMMANDS))
        self._bucket = Bucket(settings.per_s, settings.burst)
        self._refusals = Bucket(_REFUSALS_PER_S, 20)
        self._others = Bucket(_OTHERS_PER_S, 20)
        self._front = Lane("commands", settings.waiting)
        self._lanes: dict[str, Lane] = {name: Lane(f"commands-{name}", limit) for name, limit in _LINES.items()}
        self._handlers: Handlers = {}
        self._is_serving = False
        self._in_work: dict[tuple[str, str], dict[str, Any] | None] = {}
        self.trouble: str | None = None

    def listen(self, *others: str) -> None:
        """Hear commands (and `others`, which go to `hear`) from the publisher's next opening on."""
        self._channel.listen((*TOPICS, *others), self.receive)

    @contextmanager
    def serving(self, handlers: Handlers) -> Iterator[None]:
        """Do commands until the context ends; outside of it they are answered `starting`. Never raises: a memory that cannot
        be opened is an alarm (`trouble`), and every command is answered `not_recorded` until it is mended.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self._ledger)
            except Refused as refused:
                self.trouble = f"{refused.message}: mend the disk or move the file away, then start the station again"
                log.error("commands_not_remembered why=%s", refused)
            stack.callback(self._stop)
            self._handlers, self._is_serving = handlers, True
            yield

    def values(self) -> dict[str, float | int | str | bool | None]:
        """Counters for the health message: `commands.clearance.ok`, `commands.unknown.malformed`..."""
        return dict(self._tally.values())

    def receive(self, message: Incoming) -> None:
        """Take a message in; returns at once, never raises, from one thread."""
        if not message.topic.startswith(PREFIX):
            if self._hear is not None and self._others.take():
                self._front.offer(partial(self._hear, message))
            return
        if self._bucket.take() and self._front.offer(partial(self._look_at, message)):
            return
        self._tally.count(message.topic.removeprefix(PREFIX), "dropped")
        # Who floods the station is told so only now and then: an answer for each would be a flood of its own.
        if self._refusals.take():
            self._front.offer(partial(self._turn_away, message), urgent=True)

    def _turn_away(self, message: Incoming) -> None:
        letter = read(message.topic.removeprefix(PREFIX), message.payload)
        why = f"more than {self._settings.per_s:g} commands a second, or {self._settings.waiting} that wait"
        self._tally.say("busy", logging.WARNING, "commands_dropped why=%s", why)
        self._refuse(self._address(message, letter), Refused("busy", why, remedy="ask again in a second"))

    def _look_at(self, message: Incoming) -> None:
        letter = read(message.topic.removeprefix(PREFIX), message.payload)
        address = self._address(message, letter)
        try:
            if not self._is_serving:
                raise Refused("starting", "the station is starting or stopping", remedy="ask again when `state` says ready")
            admitted = self._gate.admit(letter, retained=message.retained)
            if admitted.known is not None and not self._is_to_be_resumed(admitted):
                self._repeat(address, admitted)
                return
            self._begin(address, admitted)
        except Refused as refused:
            self._refuse(address, refused)

    def _address(self, message: Incoming, letter: Letter) -> Address:
        topic = reply_topic(self._root, letter.client, message.response_topic)
        return Address(topic, message.correlation, letter.name[:80], letter.client, letter.request_id)

    def _is_to_be_resumed(self, admitted: Admitted) -> bool:
        """A clearance that an earlier life of this program left unanswered has its answer in the book of clearances."""
        order, known = admitted.order, admitted.known
        is_open = known is not None and (known.reply is None or known.reply.get("status") == "progress")
        return is_open and COMMANDS[order.name].resumes and (order.client, order.request_id) not in self._in_work

    def _repeat(self, address: Address, admitted: Admitted) -> None:
        order = admitted.order
        key = (order.client, order.request_id)
        self._tally.count(order.name, "repeated")
        if key in self._in_work:
            self._send(address, self._in_work.get(key) or self._body(address, "progress"))
            return
        known = self._ledger.find(*key)  # anew: it may have ended since the gate looked
        if known is not None and known.reply is not None and known.reply.get("status") != "progress":
            self._send(address, known.reply)
        else:
            message = "the station was stopped while this was at work: nobody knows how far it came"
            raise Refused("interrupted", message, remedy="look at `state`, then ask with a new request_id")

    def _begin(self, address: Address, admitted: Admitted) -> None:
        order = admitted.order
        key = (order.client, order.request_id)
        handler = self._handlers.get(order.name)
        if handler is None:
            raise Refused("refused", f"this station has no {order.name}", remedy="see its configuration")
        if len(self._in_work) >= IN_WORK:
            raise Refused("busy", f"{IN_WORK} commands are at work", remedy="ask again when they are answered")
        spec = COMMANDS[order.name]
        self._ledger.begin(order.client, order.request_id, admitted.fingerprint, order.command.sent_at, acts=spec.acts)
        self._in_work[key] = None
        work = partial(self._do, address, order)
        if handler.lane == "quick":
            work()
        elif not self._lanes[handler.lane].offer(work):
            self._drop(key)
            raise Refused("busy", f"{_LINES[handler.lane]} commands wait before this one", remedy="ask again later")

    def _do(self, address: Address, order: Order) -> None:
        """Whatever happens in the handler, the command gets its answer."""
        outcome: Outcome | Refused = Refused("internal", "a fault of the software: see the station's log")
        try:
            outcome = self._handlers[order.name].run(order)
        except Refused as refused:
            outcome = refused
        except StationBusy as error:
            outcome = Busy(str(error))
        except LineclearError as error:
            outcome = Refused("refused", str(error))
        finally:
            if isinstance(outcome, Later):
                self._wait_for(address, order, outcome)
            else:
                self._end(address, order, outcome)

    def _wait_for(self, address: Address, order: Order, later: Later) -> None:
        body = self._body(address, "progress", result=later.begun)
        self._in_work[order.client, order.request_id] = body
        self._remember(order, body)
        self._send(address, body)

        def done(answer: Future[Any]) -> None:
            self._front.offer(partial(self._conclude, address, order, later, answer), urgent=True)

        later.answer.add_done_callback(done)

    def _conclude(self, address: Address, order: Order, later: Later, answer: Future[Any]) -> None:
        outcome: Done | Busy | Refused = Refused("internal", "a fault of the software: see the station's log")
        try:
            outcome = later.then(answer.result(timeout=0))
        except LineclearError as error:
            outcome = error if isinstance(error, Refused) else Refused("refused", str(error))
        finally:
            self._end(address, order, outcome)

    def _end(self, address: Address, order: Order, outcome: Done | Busy | Refused) -> None:
        key = (order.client, order.request_id)
        if isinstance(outcome, Busy):
            self._tally.count(order.name, "busy")
            self._drop(key)
            error = ReplyError(code="busy", message=outcome.why, remedy="ask again when it is answered")
            self._send(address, self._body(address, "busy", error=error, result=outcome.running))
            return
        if isinstance(outcome, Refused):
            self._tally.count(order.name, outcome.code)
            log.warning("command_refused name=%s client=%s why=%s", order.name, order.client, outcome)
            body = self._body(address, "error", error=error_of(outcome))
        else:
            self._tally.count(order.name, "ok")
            log.info("command_done name=%s client=%s request_id=%s", order.name, order.client, order.request_id)
            body = self._body(address, "ok", result=outcome.result)
        self._remember(order, body)
        self._in_work.pop(key, None)
        self._send(address, body)

    def _remember(self, order: Order, body: Mapping[str, Any]) -> None:
        try:
            self._ledger.finish(order.client, order.request_id, body)
        except Refused as refused:
            self._tally.say("not_recorded", logging.ERROR, "answer_not_remembered why=%s", refused)

    def _drop(self, key: tuple[str, str]) -> None:
        self._in_work.pop(key, None)
        try:
            self._ledger.forget(*key)
        except Refused as refused:
            self._tally.say("not_recorded", logging.ERROR, "command_not_forgotten why=%s", refused)

    def _refuse(self, address: Address, refused: Refused) -> None:
        """Before anything was done; what is wrong is counted, and logged now and then."""
        self._tally.count(address.command, refused.code)
        words = (address.command[:40], address.client, refused)
        self._tally.say(refused.code, logging.WARNING, "command_refused name=%r client=%r why=%s", *words)
        status: Status = "busy" if refused.code == "busy" else "error"
        self._send(address, self._body(address, status, error=error_of(refused)))

    def _body(self, address: Address, status: Status, **fields: Any) -> dict[str, Any]:
        reply = Reply(
            station=self._root,
            command=address.command,
            client=address.client,
            request_id=address.request_id,
            status=status,
            sent_at=now_text(self._now()),
            **fields,
        )
        return reply_body(reply)

    def _send(self, address: Address, body: Mapping[str, Any]) -> None:
        if address.topic:
            self._channel.answer(Answer(address.topic, body, address.correlation))

    def _stop(self) -> None:
        """Take no more; what runs is waited for a while."""
        self._is_serving = False
        for lane in (self._front, *self._lanes.values()):
            if not lane.close(STOP_S):
                log.error("command_still_running for_s=%g", STOP_S)
