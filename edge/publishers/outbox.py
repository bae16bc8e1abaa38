"""The outbox: what must reach the broker, on disk until the broker has acknowledged it.

One SQLite file (WAL). `put` writes with synchronous=FULL and returns when the records are on the disk. Deletions after an
acknowledgement use a second connection with synchronous=NORMAL: if a power cut undoes one, the record is sent again, with
the same result_id. Most checkpoints run on that second connection, so that the judge's thread does not pay for them.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from typing_extensions import Self

from edge.errors import OutboxError, ResultConflict
from edge.publishers.ballast import Ballast
from edge.publishers.base import Record, RecordKind
from edge.publishers.outbox_file import COUNT_SQL, Transaction, open_outbox, outbox_error
from edge.publishers.rows import COLUMNS, IMAGE, INSERT, RESULT, Depth, Pending, Row, pending_of, row_of
from edge.publishers.state_lock import StateLock
from edge.settings.mqtt import OutboxSettings

_LOG = logging.getLogger(__name__)
_LOUD_EVERY_S: Final = 60.0
_DISK_FULL: Final = "database or disk is full"
_PRUNE_ROWS: Final = 500
_BALLAST_BYTES: Final = 8 * 1024 * 1024  # twice what the WAL holds between checkpoints


class Outbox:
    """Durable queue and short history of results. Every method may be called from any thread.

    path: the SQLite file; `<path>.lock` beside it is held while the outbox is open. clock: wall clock in seconds.
    """

    def __init__(self, path: Path, limits: OutboxSettings, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._limits = limits
        self._clock = clock
        self._write = threading.Lock()
        self._read = threading.Lock()
        self._lock = StateLock(path.with_name(path.name + ".lock"))
        self._ballast = Ballast(path.with_name(path.name + ".ballast"), _BALLAST_BYTES)
        self._judge: sqlite3.Connection | None = None
        self._sender: sqlite3.Connection | None = None
        self._depth = Depth()
        self._last_loud: float | None = None
        self._refuses_images = False

    def __enter__(self) -> Self:
        """Open or create the file.

        A damaged file is set aside, named, counted and logged, never deleted. Raises StationBusy if another process has
        it open, OutboxError if it cannot be used.
        """
        self._lock.acquire()
        try:
            self._judge, self._sender = open_outbox(self._path, self._limits.busy_timeout_s)
            with self._sender_connection() as sender:
                self._depth = _measure(sender)
        except BaseException:
            self._close()
            raise
        self._ballast.take_aboard()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file; what waits in it stays."""
        self._close()

    @property
    def depth(self) -> Depth:
        """How much waits for the broker."""
        return self._depth

    def put(self, records: Sequence[Record], root: str = "") -> None:
        """Record all or none, on disk when it returns; OutboxError if they could not be.

        root: what the records' topics are put under. A VERDICT or CLEARANCE whose result_id is recorded already with the
        same body is not recorded again, nor are the images beside it in the same call; with another body it is an
        error. On a full disk images give way to results, and are not taken until it has room.
        """
        rows = [row_of(record, root) for record in records]
        with self._write:
            if self._judge is None:
                raise self._closed()
            try:
                if self._refuses_images:
                    raise sqlite3.OperationalError(_DISK_FULL)
                dropped = self._insert(self._judge, rows)
            except sqlite3.Error as error:
                if str(error) != _DISK_FULL:
                    raise outbox_error(error, self._path) from error
                dropped = self._insert_on_full_disk(self._judge, rows)
        self._report(dropped)

    def pending(
        self, limit: int, skip_ids: Collection[int] = (), skip_topics: Collection[str] = (), images: bool = True
    ) -> list[Pending]:
        """The next records to send, at most `limit`: results before images, each in the order of recording.

        skip_ids: those in flight. skip_topics: those that the broker refuses for now. Raises OutboxError.
        """
        query = f"SELECT {COLUMNS} FROM outbox WHERE priority <= ?"  # noqa: S608 - constant names
        query += f" AND id NOT IN ({_marks(skip_ids)}) AND topic NOT IN ({_marks(skip_topics)}) ORDER BY priority, id LIMIT ?"
        with self._sender_connection() as sender:
            values = (IMAGE if images else RESULT, *skip_ids, *skip_topics, limit)
            return [pending_of(row) for row in sender.execute(query, values)]

    def delivered(self, ids: Collection[int]) -> None:
        """Forget records that the broker has acknowledged; unknown ids are ignored. Raises OutboxError."""
        self._delete(f"id IN ({_marks(ids)})", tuple(ids), "")

    def refused(self, ids: Collection[int]) -> None:
        """Drop records that can never be sent, counted as `refused_<kind>`. Raises OutboxError."""
        self._delete(f"id IN ({_marks(ids)})", tuple(ids), "refused")

    def maintain(self) -> None:
        """Drop images past their age, shorten the history, checkpoint the WAL. Raises OutboxError."""
        now = self._clock()
        oldest = "SELECT id FROM outbox WHERE priority = ? ORDER BY id LIMIT ?"
        values = (IMAGE, _PRUNE_ROWS, now - self._limits.max_age_h * 3600)
        self._delete(f"id IN ({oldest}) AND created_at < ?", values, "dropped")
        has_room = self._ballast.take_aboard()
        with self._write, self._sender_connection() as sender:
            self._freeing(lambda: _tidy(sender, self._limits.keep_results, now - self._limits.keep_results_h * 3600))
            self._refuses_images = self._refuses_images and not has_room

    def counters(self) -> dict[str, int]:
        """What was dropped, refused or damaged since the file was begun; survives restarts. Raises OutboxError.

        Keys: dropped_image, dropped_verdict, dropped_clearance, refused_image, ..., damaged_files; absent means 0.
        """
        with self._sender_connection() as sender:
            return dict(sender.execute("SELECT name, value FROM counters ORDER BY name"))

    def oldest_age_s(self) -> float:
        """For how long the oldest record has waited; 0 where nothing waits. Raises OutboxError."""
        with self._sender_connection() as sender:
            row = sender.execute("SELECT created_at FROM outbox ORDER BY id LIMIT 1").fetchone()
        return max(0.0, self._clock() - row[0]) if row else 0.0

    def result(self, result_id: str) -> dict[str, Any] | None:
        """The recorded body of a result, None if it is unknown or too old. Raises OutboxError."""
        with self._sender_connection() as sender:
            row = sender.execute("SELECT body FROM results WHERE result_id = ?", (result_id,)).fetchone()
        body: dict[str, Any] | None = json.loads(row[0]) if row else None
        return body

    def _insert(self, judge: sqlite3.Connection, rows: Sequence[Row], lost_images: int = 0) -> dict[str, int]:
        """One transaction; returns what was dropped, by kind."""
        now = self._clock()
        depth = self._depth
        with Transaction(judge):
            known = {row.record.result_id for row in rows if row.priority == RESULT and self._is_known(judge, row)}
            for row in rows:
                if row.record.result_id in known:
                    continue
                if row.priority == RESULT:
                    values = (row.record.result_id, row.record.kind.value, now, row.payload.decode("utf-8"))
                    judge.execute("INSERT INTO results (result_id, kind, created_at, body) VALUES (?, ?, ?, ?)", values)
                judge.execute(INSERT, row.values(now))
                depth = depth.plus(row.priority, len(row.payload))
            dropped, depth = self._shed(judge, depth)
            if lost_images:
                dropped["image"] = dropped.get("image", 0) + lost_images
            judge.executemany(COUNT_SQL, [(f"dropped_{kind}", count) for kind, count in dropped.items()])
        self._depth = depth
        return dropped

    def _insert_on_full_disk(self, judge: sqlite3.Connection, rows: Sequence[Row]) -> dict[str, int]:
        """Once more without images, in the place of the images that wait: SQLite reuses their pages."""
        results = [row for row in rows if row.priority == RESULT]
        try:
            if not results:
                raise sqlite3.OperationalError(_DISK_FULL)
            if not self._refuses_images:
                self._give_up_images(judge)
            dropped = self._insert(judge, results, len(rows) - len(results))
        except sqlite3.Error as error:
            raise outbox_error(error, self._path) from error
        return dropped

    def _give_up_images(self, judge: sqlite3.Connection) -> None:
        """All space for results, until the disk has plenty again."""
        self._ballast.drop_half()  # the other half is for deleting what was delivered
        freed = self._depth.images
        with Transaction(judge):
            judge.execute("DELETE FROM outbox WHERE priority = ?", (IMAGE,))
            judge.execute(COUNT_SQL, ("dropped_image", freed))
        self._depth = replace(self._depth, images=0, image_bytes=0)
        self._refuses_images = True
        judge.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        _LOG.error("disk_full file=%s images_dropped=%d", self._path, freed)

    def _is_known(self, judge: sqlite3.Connection, row: Row) -> bool:
        found = judge.execute("SELECT body FROM results WHERE result_id = ?", (row.record.result_id,)).fetchone()
        if found and found[0] != row.payload.decode("utf-8"):
            message = f"result {row.record.result_id} is recorded already with other contents"
            raise ResultConflict(message, where=str(self._path), remedy="report this as a fault")
        return bool(found)

    def _shed(self, judge: sqlite3.Connection, depth: Depth) -> tuple[dict[str, int], Depth]:
        """Delete what exceeds the bounds: images first, then results, oldest first, the newest result never."""
        dropped: dict[str, int] = {}
        newest = judge.execute("SELECT max(id) FROM outbox WHERE priority = ?", (RESULT,)).fetchone()[0]
        for priority in (IMAGE, RESULT):
            ids: list[tuple[int]] = []
            query = "SELECT id, kind, size FROM outbox WHERE priority = ? ORDER BY id"
            with closing(judge.execute(query, (priority,))) as oldest:
                while self._exceeds(depth) and (row := oldest.fetchone()) and row[0] != newest:
                    ids.append((row[0],))
                    depth = depth.plus(priority, row[2], -1)
                    dropped[row[1]] = dropped.get(row[1], 0) + 1
            judge.executemany("DELETE FROM outbox WHERE id = ?", ids)
        return dropped, depth

    def _exceeds(self, depth: Depth) -> bool:
        return depth.rows > self._limits.max_rows or depth.size_bytes > self._limits.max_bytes

    def _delete(self, condition: str, values: tuple[object, ...], count_as: str) -> None:
        with self._write, self._sender_connection() as sender:
            depth, counts = self._depth, dict[str, int]()
            rows = sender.execute(f"SELECT id, priority, kind, size FROM outbox WHERE {condition}", values).fetchall()  # noqa: S608
            if not rows:
                return
            for _, priority, kind, size in rows:
                depth = depth.plus(priority, size, -1)
                counts[f"{count_as}_{kind}"] = counts.get(f"{count_as}_{kind}", 0) + 1
            self._freeing(lambda: _forget(sender, [(row[0],) for row in rows], counts if count_as else {}))
            self._depth = depth

    def _freeing(self, work: Callable[[], None]) -> None:
        """Do what makes room, on a full disk in the last of the ballast."""
        try:
            work()
        except sqlite3.Error as error:
            if str(error) != _DISK_FULL:
                raise
            self._ballast.drop()
            work()

    def _report(self, dropped: Mapping[str, int]) -> None:
        results = {kind: count for kind, count in dropped.items() if kind != RecordKind.IMAGE.value}
        now = time.monotonic()
        if not results or (self._last_loud is not None and now - self._last_loud < _LOUD_EVERY_S):
            return
        self._last_loud = now
        _LOG.critical(
            "results_dropped file=%s dropped=%s", self._path, ", ".join(f"{count} {kind}" for kind, count in results.items())
        )

    @contextmanager
    def _sender_connection(self) -> Iterator[sqlite3.Connection]:
        with self._read:
            if self._sender is None:
                raise self._closed()
            try:
                yield self._sender
            except sqlite3.Error as error:
                raise outbox_error(error, self._path) from error

    def _closed(self) -> OutboxError:
        return OutboxError("the outbox is not open", where=str(self._path), remedy="start the station")

    def _close(self) -> None:
        with self._write, self._read:
            for connection in (self._sender, self._judge):
                if connection is not None:
                    connection.close()
            self._sender = self._judge = None
            self._lock.release()


def _measure(connection: sqlite3.Connection) -> Depth:
    depth = Depth()
    query = "SELECT priority, count(*), coalesce(sum(size), 0) FROM outbox GROUP BY priority"
    for priority, rows, size in connection.execute(query):
        depth = (
            replace(depth, images=rows, image_bytes=size)
            if priority == IMAGE
            else replace(depth, results=rows, result_bytes=size)
        )
    return depth


def _forget(connection: sqlite3.Connection, ids: Sequence[tuple[int]], counts: Mapping[str, int]) -> None:
    with Transaction(connection):
        connection.executemany("DELETE FROM outbox WHERE id = ?", ids)
        connection.executemany(COUNT_SQL, list(counts.items()))


def _tidy(connection: sqlite3.Connection, keep: int, oldest: float) -> None:
    """Drop a bounded bite of the history's oldest rows, never one that still waits to be sent; checkpoint the WAL."""
    with Transaction(connection):
        connection.execute(
            "DELETE FROM results WHERE seq IN (SELECT seq FROM results ORDER BY seq LIMIT ?)"
            " AND (created_at < ? OR seq <= (SELECT max(seq) FROM results) - ?)"
            " AND result_id NOT IN (SELECT result_id FROM outbox WHERE priority = ?)",
            (_PRUNE_ROWS, oldest, keep, RESULT),
        )
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _marks(values: Collection[object]) -> str:
    return ",".join("?" * len(values))
