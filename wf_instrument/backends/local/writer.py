"""Writes snapshots into a store, each in one transaction.

Threads: one, that of the reporter.
Fork: a child makes its own writer; no connection is open while the process forks.
Loss: none here. What could not be written has left no trace and may be written again.
"""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from wf_instrument.backends.local.connections import ConnectionPool
from wf_instrument.backends.local.paths import prepare
from wf_instrument.backends.local.retention import forget_unused_series, give_back, trim
from wf_instrument.backends.local.schema import SLOT_S, create
from wf_instrument.backends.local.snapshot_rows import (
    as_json,
    as_text,
    bytes_of,
    histogram_from,
    is_spans_only,
    write_points,
    write_process,
    write_spans,
)
from wf_instrument.backends.local.websocket_rows import WebSocketSlots, write_websockets
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.reporting.merge import merge_requests
from wf_instrument.reporting.snapshot import RequestInterval

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from wf_instrument.reporting.snapshot import RequestKey, Snapshot

__all__ = ["StoreWriter"]

#: Wait for another process' transaction at a time. Short, since forks of the application wait
#: for it too; the reporter tries again.
_BUSY_SLICE_S: Final = 0.25
#: Snapshots between two looks at age and size.
_TRIM_EVERY: Final = 60
#: Of those looks, one in so many also looks for names nobody needs.
_TIDY_EVERY: Final = 60

_K = TypeVar("_K")
_V = TypeVar("_V")
_SlotKey = tuple[int, "RequestKey"]
_Rows = dict[_SlotKey, RequestInterval]


class StoreWriter:
    """Keeps the rows of the current ten seconds in memory and writes them, whole, each time.

    A row belongs to one writer, so that any number of writers, in one process or many, write one
    store without losing a count; and is read back only where it is not in memory any more,
    because the clock was set back.

    Args:
        path: An existing file, empty or a store; made again when it disappears.
        retention_s: Rows older than this are deleted.
        max_bytes: The oldest rows are deleted when the file is larger.
    """

    def __init__(self, path: Path, retention_s: float, max_bytes: int) -> None:
        self._retention_s = retention_s
        self._max_bytes = max_bytes
        self._path = path
        self._pool = ConnectionPool(path, self._open)
        self._writer_id = uuid.uuid4().hex
        self._rows: _Rows = {}
        self._websockets: WebSocketSlots = {}
        self._series: dict[RequestKey, int] = {}
        self._series_of: tuple[sqlite3.Connection, int] | None = None
        self._written = 0

    def write(self, snapshot: Snapshot) -> None:
        """Write one snapshot, all of it or nothing.

        Raises:
            sqlite3.Error: It could not be written.
            StoreError: The store cannot be opened.
        """
        now_s = snapshot.ended_ns / 1e9
        # The slot of the interval's start: an interval is shorter than a slot.
        slot_s = snapshot.started_ns // 1_000_000_000 // SLOT_S * SLOT_S
        with self._pool.connection() as connection:
            self._forget_series_of_others(connection, slot_s)
            try:
                with _immediate(connection):
                    rows = self._write_slots(connection, slot_s, snapshot.requests)
                    websockets = write_websockets(
                        connection,
                        self._writer_id,
                        slot_s,
                        snapshot.websockets,
                        self._websockets,
                        now_s,
                    )
                    if not is_spans_only(snapshot):
                        write_process(connection, snapshot, now_s)
                    write_spans(connection, snapshot.spans)
                    write_points(connection, snapshot, now_s)
            except BaseException:
                # Ids given in a transaction that was undone are not there.
                self._series.clear()
                raise
        self._rows = _newest({**self._rows, **rows})
        self._websockets = _newest({**self._websockets, **websockets})
        self._written += 1

    def trim_when_due(self, now_s: float) -> None:
        """Delete what is too old or too much, once in sixty calls.

        Apart from writing, so that a snapshot neither waits for it nor is undone by it.

        Raises:
            sqlite3.Error: It could not be done.
            StoreError: The store cannot be opened.
        """
        if self._written % _TRIM_EVERY != 1:
            return
        with self._pool.connection() as connection:
            with _immediate(connection):
                trim(connection, now_s - self._retention_s, self._max_bytes)
                if self._written // _TRIM_EVERY % _TIDY_EVERY == _TIDY_EVERY - 1:
                    forget_unused_series(connection)
            give_back(connection)

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()

    def _open(self) -> sqlite3.Connection:
        prepare(self._path)
        return create(self._path, timeout_s=_BUSY_SLICE_S)

    def _forget_series_of_others(self, connection: sqlite3.Connection, slot_s: int) -> None:
        """Look ids up again in every slot: others delete names that are in no slot any more."""
        known = self._series_of
        if known is None or known[0] is not connection or known[1] != slot_s:
            self._series.clear()
            self._series_of = (connection, slot_s)

    def _write_slots(
        self, connection: sqlite3.Connection, slot_s: int, requests: Iterable[RequestInterval]
    ) -> _Rows:
        """Write the sums of what is known and what is new; return them."""
        rows: _Rows = {}
        values = []
        for new in requests:
            key = (slot_s, new.key)
            series_id = self._series_id(connection, new.key)
            known = rows.get(key) or self._rows.get(key)
            if known is None:
                known = self._stored(connection, slot_s, series_id, new.key)
            row = rows[key] = new if known is None else merge_requests(known, new)
            values.append((slot_s, series_id, self._writer_id, row.count, *_histograms(row)))
        connection.executemany(
            "INSERT OR REPLACE INTO slots VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values
        )
        return rows

    def _stored(
        self, connection: sqlite3.Connection, slot_s: int, series_id: int, key: RequestKey
    ) -> RequestInterval | None:
        found = connection.execute(
            "SELECT count, latency, ttfb, cpu, queued, request_bytes, response_bytes, background,"
            " blocked FROM slots WHERE slot_s = ? AND series_id = ? AND instance_id = ?",
            (slot_s, series_id, self._writer_id),
        ).fetchone()
        if found is None:
            return None
        latency, *others = map(histogram_from, found[1:])
        return RequestInterval(key, found[0], latency or ExponentialHistogram(), *others)

    def _series_id(self, connection: sqlite3.Connection, key: RequestKey) -> int:
        known = self._series.get(key)
        if known is not None:
            return known
        columns = (
            key.framework,
            key.route,
            key.func,
            key.module,
            key.method,
            key.status,
            key.scheme,
            key.protocol,
            key.outcome,
            key.error_type,
            int(key.is_error),
            as_json(key.dimensions),
        )
        text = json.dumps(columns)
        connection.execute(
            "INSERT OR IGNORE INTO series (key, framework, route, func, module, method, status,"
            " scheme, protocol, outcome, error_type, is_error, dimensions)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (text, *map(as_text, columns)),
        )
        (number,) = connection.execute("SELECT id FROM series WHERE key = ?", (text,)).fetchone()
        self._series[key] = number
        return int(number)


@contextmanager
def _immediate(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all of the block in the store, or nothing; the only writer from the first moment."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        # SQLite has already undone it by itself when, for example, the disk is full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _histograms(row: RequestInterval) -> tuple[bytes | None, ...]:
    """In the order of the columns."""
    return (
        row.latency.to_bytes(),
        bytes_of(row.cpu),
        bytes_of(row.ttfb),
        bytes_of(row.queued),
        bytes_of(row.request_bytes),
        bytes_of(row.response_bytes),
        bytes_of(row.background),
        bytes_of(row.blocked),
    )


def _newest(slots: dict[tuple[int, _K], _V]) -> dict[tuple[int, _K], _V]:
    """Return the slots still to be added to."""
    # The slot before the newest may still get the rest of a tick.
    oldest = max((key[0] for key in slots), default=0) - SLOT_S
    return {key: row for key, row in slots.items() if key[0] >= oldest}
