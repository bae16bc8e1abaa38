"""Asks the station beside the request that wanted it: a browser that goes away, or a session that ends, changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final, Protocol

from calibration.web.clearance.known import Document
from calibration.web.clearance.ledger import Ledger, Order, OrderState
from calibration.web.link.asking import StationBusy, StationRefused, StationSilent
from edge.errors import LineclearError

_FIRST_WORD_S: Final = 2.0
_DOCUMENT_S: Final = 3.0
_STEP_S: Final = 0.05


class Asks(Protocol):
    """`Link.ask` of the page."""

    def ask(
        self,
        command: str,
        body: Mapping[str, Any],
        *,
        timeout_s: float = 10,
        progress: Callable[[Mapping[str, Any]], None] | None = None,
        request_id: str | None = None,
    ) -> Mapping[str, Any]:
        """Send a command, wait for its answer."""
        ...


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(timezone.utc)


class Desk:
    """One thread per open order. heard: the last clearance that the station said; answer_of: request_id -> result_id, "".

    whole_s: how long an answer may take. fresh_s: so long after it was asked an order may be sent again by the page itself.
    """

    def __init__(
        self,
        link: Asks,
        ledger: Ledger,
        heard: Callable[[], Document | None],
        answer_of: Callable[[str], str],
        *,
        whole_s: float,
        fresh_s: float,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._link, self._ledger, self._heard, self._answer_of = link, ledger, heard, answer_of
        self._whole_s, self._fresh_s, self._now = whole_s, fresh_s, now
        self._lock = threading.Lock()
        self._working: dict[str, threading.Thread] = {}
        self._words: dict[str, threading.Event] = {}

    def place(self, order: Order) -> Order:
        """Ask, unless it was asked already; returns with the first word of the station, or after two seconds without one.

        OrderConflict: the same form with other contents. LineclearError: it cannot be remembered.
        """
        known = self._ledger.begin(order)
        if known.state is OrderState.ANSWERED:
            return known
        # Busy and refused mean that nothing was done: the same form may be sent once more.
        return self._ask(known)

    def look(self, request_id: str) -> Order | None:
        """The order as it is now, taken up again where the page was restarted while it ran; None for an unknown one."""
        order = self._ledger.get(request_id)
        if order is None or not order.is_open or self._is_working(request_id):
            return order
        found = self._answer_of(request_id)
        if found:
            self._keep(request_id, found, wait_s=0)
            return self._ledger.note(request_id, OrderState.ANSWERED, result_id=found)
        if order.state is OrderState.BEGUN or self._now() - order.asked_at < timedelta(seconds=self._fresh_s):
            return self._ask(order)
        # Nobody knows whether the station ever got it. To send it now would check a line long after somebody wanted that.
        return self._ledger.note(request_id, OrderState.SILENT)

    def again(self, request_id: str) -> Order | None:
        """Ask once more, because a person wants it so; the station does nothing twice. None for an unknown one."""
        order = self._ledger.get(request_id)
        return self._ask(order) if order is not None and order.state is not OrderState.ANSWERED else order

    def close(self, timeout_s: float = 5.0) -> None:
        """Wait for what is still asked."""
        with self._lock:
            threads = list(self._working.values())
        for thread in threads:
            thread.join(timeout_s)

    def _is_working(self, request_id: str) -> bool:
        with self._lock:
            return request_id in self._working

    def _ask(self, order: Order) -> Order:
        with self._lock:
            word = self._words.get(order.request_id)
            if order.request_id not in self._working:
                word = self._words[order.request_id] = threading.Event()
                thread = threading.Thread(target=self._work, args=(order, word), name="page-order", daemon=True)
                self._working[order.request_id] = thread
                thread.start()
        if word is not None:
            word.wait(_FIRST_WORD_S)
        return self._ledger.get(order.request_id) or order

    def _work(self, order: Order, word: threading.Event) -> None:
        try:
            self._ask_and_note(order, word)
        finally:
            with self._lock:
                self._working.pop(order.request_id, None)
                self._words.pop(order.request_id, None)
            word.set()

    def _ask_and_note(self, order: Order, word: threading.Event) -> None:
        def begun(said: Mapping[str, Any]) -> None:
            result = said.get("result") or said
            self._ledger.note(order.request_id, OrderState.BEGUN, result_id=str(result.get("result_id") or "") or None)
            word.set()

        note, name = self._ledger.note, order.request_id
        try:
            result = self._link.ask(order.kind, order.body, timeout_s=self._whole_s, progress=begun, request_id=name)
        except StationBusy as error:
            note(name, OrderState.BUSY, told=(str(error),))
        except StationSilent as error:
            found = self._answer_of(name)
            self._keep(name, found, wait_s=0)
            note(name, OrderState.ANSWERED if found else OrderState.SILENT, result_id=found or None, told=(str(error),))
        except StationRefused as error:
            note(name, OrderState.REFUSED, told=tuple(error.problems) or (error.message,))
        except LineclearError as error:
            note(name, OrderState.SILENT, told=(str(error),))
        else:
            result_id = str(result.get("result_id") or "")
            self._keep(name, result_id)
            note(name, OrderState.ANSWERED, result_id=result_id)

    def _keep(self, request_id: str, result_id: str, wait_s: float = _DOCUMENT_S) -> None:
        """The whole clearance comes on another topic, a moment before or after the reply."""
        waited, pause = 0.0, threading.Event()
        while waited <= wait_s:
            heard = self._heard()
            if heard is not None and heard.get("resultId") == result_id:
                self._ledger.keep(request_id, heard)
                return
            pause.wait(_STEP_S if wait_s else 0)
            waited += _STEP_S
