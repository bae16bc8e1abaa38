"""What was asked of the station from this page, on the disk: so that no form is done twice and no answer is lost.

A form carries its own request_id from the moment it is shown. Sent twice, from two tabs or after a restart of the page, it is
the same request: the station answers it again and does nothing again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any, Final

from edge.errors import LineclearError

_KEPT: Final = 2000
_BUSY_S: Final = 5.0
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS orders (request_id TEXT PRIMARY KEY, kind TEXT NOT NULL, asked_by TEXT NOT NULL,"
    " asked_us INTEGER NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL, result_id TEXT NOT NULL, told TEXT NOT NULL,"
    " document TEXT)"
)
_COLUMNS: Final = "request_id, kind, asked_by, asked_us, body, state, result_id, told"


class OrderState(str, Enum):
    """How far an order is. silent: nobody knows whether the station took it; busy, refused: nothing was done."""

    ASKING = "asking"
    BEGUN = "begun"
    ANSWERED = "answered"
    REFUSED = "refused"
    BUSY = "busy"
    SILENT = "silent"


class OrderConflict(LineclearError):
    """A form was sent again with other contents."""


@dataclass(frozen=True)
class Order:
    """One request. kind: `clearance` or `review`. asked_by: the sign-in name. body: what the command says.

    told: what the station said to it in words, a line each.
    """

    request_id: str
    kind: str
    asked_by: str
    asked_at: datetime
    body: Mapping[str, Any]
    state: OrderState = OrderState.ASKING
    result_id: str = ""
    told: tuple[str, ...] = field(default=())

    @property
    def is_open(self) -> bool:
        """Its answer may still come."""
        return self.state in (OrderState.ASKING, OrderState.BEGUN)


class Ledger:
    """`clearances.sqlite3` of the page's folder. Every method opens and closes the file; any thread may call them."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "clearances.sqlite3"

    def begin(self, order: Order) -> Order:
        """Write it down, or the order that has this request_id already. OrderConflict: that one says something else."""
        with self._file() as file:
            file.execute(
                f"INSERT OR IGNORE INTO orders ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - own names
                (
                    order.request_id, order.kind, order.asked_by, _microseconds(order.asked_at), _text(order.body),
                    order.state.value, order.result_id, _text(order.told),
                ),
            )  # fmt: skip
            oldest = "SELECT request_id FROM orders ORDER BY asked_us DESC, rowid DESC LIMIT -1 OFFSET ?"
            file.execute(f"DELETE FROM orders WHERE request_id IN ({oldest})", (_KEPT,))  # noqa: S608
            known = _first(file, order.request_id)
        if known is None:
            return order
        if (known.kind, dict(known.body)) != (order.kind, dict(order.body)):
            what = str(known.body.get("batch") or known.body.get("result_id") or "")
            remedy = "open the form anew and fill it in again"
            raise OrderConflict(f"this form was sent before, for {what!r}", remedy=remedy)
        return known

    def get(self, request_id: str) -> Order | None:
        """The order of this id, None if there is none."""
        with self._file() as file:
            return _first(file, request_id)

    def note(
        self, request_id: str, state: OrderState, *, result_id: str | None = None, told: tuple[str, ...] = ()
    ) -> Order | None:
        """What became of it. An answer is never taken back by a later failure to ask for it again."""
        with self._file() as file:
            known = _first(file, request_id)
            if known is None or (known.state is OrderState.ANSWERED and state is not OrderState.ANSWERED):
                return known
            changed = replace(known, state=state, result_id=known.result_id if result_id is None else result_id, told=told)
            file.execute(
                "UPDATE orders SET state = ?, result_id = ?, told = ? WHERE request_id = ?",
                (state.value, changed.result_id, _text(told), request_id),
            )
            return changed

    def keep(self, request_id: str, document: Mapping[str, Any]) -> None:
        """The clearance that answered it, as the station published it."""
        with self._file() as file:
            file.execute("UPDATE orders SET document = ? WHERE request_id = ?", (_text(document), request_id))

    def document(self, result_id: str) -> Mapping[str, Any] | None:
        """The kept clearance of this result_id, None if there is none."""
        with self._file() as file:
            query = "SELECT document FROM orders WHERE result_id = ? AND document IS NOT NULL LIMIT 1"
            row = file.execute(query, (result_id,)).fetchone()
        found = json.loads(row[0]) if row is not None else None
        return found if isinstance(found, dict) else None

    @contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        """One transaction. LineclearError: the disk refuses; what cannot be remembered is not asked for."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=_BUSY_S)) as file, file:
                file.execute(_TABLE)
                yield file
        except (OSError, sqlite3.Error) as error:
            remedy = "free the disk, check the folder's rights, then ask again"
            raise LineclearError(
                f"the page cannot remember what was asked ({error})", where=str(self._path), remedy=remedy
            ) from None


def _first(file: sqlite3.Connection, request_id: str) -> Order | None:
    row = file.execute(f"SELECT {_COLUMNS} FROM orders WHERE request_id = ?", (request_id,)).fetchone()  # noqa: S608
    if row is None:
        return None
    name, kind, asked_by, asked_us, body, state, result_id, told = row
    moment = datetime.fromtimestamp(asked_us / 1e6, timezone.utc)
    return Order(name, kind, asked_by, moment, json.loads(body), OrderState(state), result_id, tuple(json.loads(told)))


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)
