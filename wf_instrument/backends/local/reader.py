"""Reads a store: what the dashboard and the tables show.

Threads: any; each call borrows a connection, so that slow answers do not delay quick ones.
Locks: `_watch_lock` keeps `version` to one connection, whose count of changes it tells.
Fork: connections are closed before, and opened again by the next call.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

from wf_instrument.backends.local.connections import ConnectionPool
from wf_instrument.backends.local.results import (
    ProcessRow,
    RouteSummary,
    StoredSpan,
    TimeBucket,
    TraceSummary,
    WebSocketSummary,
)
from wf_instrument.backends.local.schema import SLOT_S, connect
from wf_instrument.backends.local.websocket_rows import summarize_websockets
from wf_instrument.errors import StoreError
from wf_instrument.forking import reset_after_fork
from wf_instrument.metrics.histogram import ExponentialHistogram

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "ProcessRow",
    "RouteSummary",
    "StoreReader",
    "StoredSpan",
    "TimeBucket",
    "TraceSummary",
    "WebSocketSummary",
]

#: A process that has not written for so long is gone, and so are its requests in flight.
_ALIVE_S: Final = 10.0
#: Connections kept open while nobody asks.
_MAX_IDLE: Final = 4

#: Slot, framework, route, func, method, status, whether an error, count, latency, CPU seconds.
_Slot = tuple[int, str, "str | None", "str | None", str, int, int, int, ExponentialHistogram, float]


class _Totals:
    """What is added up for one row of a table."""

    def __init__(self) -> None:
        self.count = 0
        self.errors = 0
        self.latency = ExponentialHistogram()
        self.cpu_s = 0.0
        self.background = ExponentialHistogram()
        self.blocked = ExponentialHistogram()
        self.statuses: dict[int, int] = {}


class StoreReader:
    """Answers questions about a store while others write it.

    Raises:
        StoreError: The store is missing, damaged, or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pool = ConnectionPool(path, self._open, _MAX_IDLE)
        self._reset()
        reset_after_fork(self._reset)
        self._watch = ConnectionPool(path, self._open)
        self._watched: sqlite3.Connection | None = None
        self._generation = 0
        with self._pool.connection():
            pass  # opened now: a missing or damaged store is told by the constructor

    def _reset(self) -> None:
        self._watch_lock = threading.Lock()

    def close(self) -> None:
        """Close all connections; later questions raise `StoreError`."""
        self._pool.close()
        self._watch.close()

    def summary(
        self, since_s: float | None = None, until_s: float | None = None
    ) -> list[RouteSummary]:
        """Return a row a route and method, the busiest first."""
        rows: dict[tuple[str, str | None, str | None, str], _Totals] = {}
        first_s = last_s = None
        for (
            slot_s,
            framework,
            route,
            func,
            method,
            status,
            is_error,
            count,
            latency,
            cpu_s,
        ) in self._slots(since_s, until_s):
            totals = rows.setdefault((framework, route, func, method), _Totals())
            totals.count += count
            totals.errors += count if is_error else 0
            totals.latency.merge(latency)
            totals.cpu_s += cpu_s
            totals.statuses[status] = totals.statuses.get(status, 0) + count
            first_s = slot_s if first_s is None else min(first_s, slot_s)
            last_s = slot_s if last_s is None else max(last_s, slot_s)
        for framework, route, func, method, background, blocked in self._aside(since_s, until_s):
            totals = rows.setdefault((framework, route, func, method), _Totals())
            for histogram, stored in ((totals.background, background), (totals.blocked, blocked)):
                if stored:
                    histogram.merge(ExponentialHistogram.from_bytes(stored))
        seconds = self._seconds(first_s, last_s)
        all_cpu_s = sum(totals.cpu_s for totals in rows.values())
        running = {(route, method): count for route, method, count in self.in_flight()[1]}
        summaries = [
            _summary(key, totals, seconds, all_cpu_s, running.get((key[1], key[3]), 0))
            for key, totals in rows.items()
            if totals.count  # else there was only work that outlasted its request's interval
        ]
        return sorted(summaries, key=lambda row: -row.count)

    def websockets(
        self, since_s: float | None = None, until_s: float | None = None
    ) -> list[WebSocketSummary]:
        """Return a row a route that has or had WebSocket connections, the busiest first."""
        until_s = 1e15 if until_s is None else until_s
        with self._reading(self._pool) as connection:
            return summarize_websockets(connection, since_s or 0.0, until_s, time.time() - _ALIVE_S)

    def timeline(
        self,
        since_s: float,
        until_s: float,
        buckets_s: int = SLOT_S,
        route: str | None = None,
        method: str | None = None,
    ) -> list[TimeBucket]:
        """Return a row each `buckets_s` seconds (a multiple of 10), empty ones included.

        Args:
            since_s: Unix time of the start, seconds.
            until_s: Unix time of the end, seconds.
            buckets_s: Width.
            route: Of this route alone. None is, with a method, that of requests which matched
                no route; without, all routes.
            method: Of this method alone; None for all methods.
        """
        width = max(SLOT_S, buckets_s // SLOT_S * SLOT_S)
        first = int(since_s // width * width)
        buckets = {start: _Totals() for start in range(first, int(until_s) + 1, width)}
        rows = self._slots(first, until_s, route, method, with_cpu=False)
        for slot_s, _, _, _, _, _, is_error, count, latency, _ in rows:
            totals = buckets.get(slot_s // width * width)
            if totals is not None:
                totals.count += count
                totals.errors += count if is_error else 0
                totals.latency.merge(latency)
        return [_bucket(start, totals) for start, totals in buckets.items()]

    def in_flight(self) -> tuple[int, list[tuple[str | None, str, int]]]:
        """Return the requests being served: all together, and by (route, method, count)."""
        alive_s = time.time() - _ALIVE_S
        (total,) = self._query(
            "SELECT coalesce(sum(total_in_flight), 0) FROM processes WHERE last_s >= ?", alive_s
        )[0]
        rows = self._query(
            "SELECT route, method, sum(count) FROM in_flight WHERE seen_s >= ?"
            " GROUP BY route, method ORDER BY 3 DESC",
            alive_s,
        )
        return int(total), [(route, method, count) for route, method, count in rows]

    def slowest_traces(self, since_s: float | None = None, limit: int = 20) -> list[TraceSummary]:
        """Return the slowest server spans and roots, the slowest first."""
        rows = self._query(
            "SELECT trace_id, span_id, name, start_ns, duration_ns, is_error, tags FROM spans"
            " WHERE is_root = 1 AND start_ns >= ? ORDER BY duration_ns DESC LIMIT ?",
            int((since_s or 0) * 1e9),
            limit,
        )
        summaries = []
        for trace_id, span_id, name, start_ns, duration_ns, is_error, tags in rows:
            known = dict(json.loads(tags))
            summaries.append(
                TraceSummary(
                    trace_id,
                    span_id,
                    name,
                    start_ns / 1e9,
                    duration_ns / 1e9,
                    bool(is_error),
                    known.get("http.method"),
                    known.get("http.route"),
                    known.get("http.status_code"),
                )
            )
        return summaries

    def trace(self, trace_id: str) -> list[StoredSpan]:
        """Return the spans of a trace, in the order they began."""
        rows = self._query(
            "SELECT trace_id, span_id, parents, follows_from, name, start_ns, duration_ns,"
            " is_error, tags, logs FROM spans WHERE trace_id = ? ORDER BY start_ns, id LIMIT 2000",
            trace_id,
        )
        return [
            StoredSpan(
                row[0],
                row[1],
                tuple(json.loads(row[2])),
                tuple(json.loads(row[3])),
                row[4],
                row[5] / 1e9,
                row[6] / 1e9,
                bool(row[7]),
                _pairs(json.loads(row[8])),
                tuple((at, _pairs(fields)) for at, fields in json.loads(row[9])),
            )
            for row in rows
        ]

    def processes(self) -> list[ProcessRow]:
        """Return the processes that wrote, the latest first."""
        rows = self._query(
            "SELECT instance_id, pid, source, tags, total_in_flight, first_s, last_s"
            " FROM processes ORDER BY last_s DESC LIMIT 1000"
        )
        return [ProcessRow(r[0], r[1], r[2], _pairs(json.loads(r[3])), *r[4:]) for r in rows]

    def unmatched(self, limit: int = 20) -> list[tuple[str, int]]:
        """Return the most frequent paths that matched no route, and how often they came."""
        rows = self._query(
            "SELECT path, count FROM unmatched ORDER BY count DESC, path LIMIT ?", limit
        )
        return [(path, count) for path, count in rows]

    def self_points(self) -> dict[str, float]:
        """Return what the pipelines say of themselves.

        Counters are added up over processes; of gauges, moments mostly, the largest counts.
        """
        rows = self._query(
            "SELECT name, tags, iif(kind = 'self-gauge', max(value), sum(value)) FROM points"
            " WHERE kind LIKE 'self-%' GROUP BY name, tags, kind"
        )
        return {
            name + "".join(f"{{{v}}}" for _, v in json.loads(tags)): value
            for name, tags, value in rows
        }

    def version(self) -> int:
        """Return a number that changes whenever something was written, for all threads alike."""
        with self._watch_lock, self._reading(self._watch) as connection:
            if connection is not self._watched:
                # Each connection counts the changes from a start of its own.
                self._watched = connection
                self._generation += 1
            (changes,) = connection.execute("PRAGMA data_version").fetchone()
            return (self._generation << 32) + int(changes)

    def _slots(
        self,
        since_s: float | None,
        until_s: float | None,
        route: str | None = None,
        method: str | None = None,
        *,
        with_cpu: bool = True,
    ) -> Iterator[_Slot]:
        """Yield the rows of a window; each must be used before the next question is asked."""
        is_all = route is None and method is None
        window = _window(since_s, until_s)
        with self._reading(self._pool) as connection:
            for *names, latency, cpu in connection.execute(
                "SELECT slot_s, framework, route, func, method, status, is_error, count, latency,"
                " cpu FROM slots JOIN series ON series.id = series_id"
                " WHERE slot_s > ? AND slot_s <= ?"
                " AND (? OR (route IS ? AND method = coalesce(?, method)))",
                (*window, is_all, route, method),
            ):
                cpu_s = ExponentialHistogram.from_bytes(cpu).sum if cpu and with_cpu else 0.0
                yield cast("_Slot", (*names, ExponentialHistogram.from_bytes(latency), cpu_s))

    def _aside(
        self, since_s: float | None, until_s: float | None
    ) -> list[tuple[str, str | None, str | None, str, bytes | None, bytes | None]]:
        """Return route and figures of the few slots with background work or a held loop."""
        if self._query("PRAGMA user_version")[0][0] < 2:
            return []  # nobody has written there since these columns are known
        return self._query(
            "SELECT framework, route, func, method, background, blocked"
            " FROM slots JOIN series ON series.id = series_id WHERE slot_s > ? AND slot_s <= ?"
            " AND (background IS NOT NULL OR blocked IS NOT NULL)",
            *_window(since_s, until_s),
        )

    def _seconds(self, first_s: int | None, last_s: int | None) -> float:
        """Return the time between first and last request, as processes and slots tell it."""
        if first_s is None or last_s is None:
            return 1.0
        rows = self._query("SELECT min(first_s), max(last_s) FROM processes")
        began, ended = rows[0]
        start = first_s if began is None else max(first_s, began)
        end = last_s + SLOT_S if ended is None else min(last_s + SLOT_S, ended)
        return max(end - start, 0.001)

    def _query(self, statement: str, *arguments: object) -> list[tuple]:  # type: ignore[type-arg]  # any row
        with self._reading(self._pool) as connection:
            return connection.execute(statement, arguments).fetchall()

    @contextmanager
    def _reading(self, pool: ConnectionPool) -> Iterator[sqlite3.Connection]:
        """Lend a connection, and say in one sentence what is wrong with the file."""
        try:
            with pool.connection() as connection:
                yield connection
        except (sqlite3.Error, ValueError) as exc:  # ValueError: the bytes of a histogram
            raise StoreError(
                f"local store {self.path} cannot be read: {exc}; move the file away and restart"
            ) from exc

    def _open(self) -> sqlite3.Connection:
        return connect(self.path, read_only=True)


def _summary(
    key: tuple[str, str | None, str | None, str],
    totals: _Totals,
    seconds: float,
    all_cpu_s: float,
    in_flight: int,
) -> RouteSummary:
    framework, route, func, method = key
    latency = totals.latency
    return RouteSummary(
        framework=framework,
        route=route,
        func=func,
        method=method,
        count=totals.count,
        errors=totals.errors,
        rate_per_s=totals.count / seconds,
        p50_s=latency.quantile(0.5),
        p95_s=latency.quantile(0.95),
        p99_s=latency.quantile(0.99),
        mean_s=latency.mean,
        max_s=latency.max,
        latency_sum_s=latency.sum,
        cpu_s=totals.cpu_s,
        cpu_share=totals.cpu_s / all_cpu_s if all_cpu_s else 0.0,
        statuses=tuple(sorted(totals.statuses.items())),
        in_flight=in_flight,
        background_count=totals.background.count,
        background_p95_s=totals.background.quantile(0.95) if totals.background.count else 0.0,
        blocked_count=totals.blocked.count,
        blocked_max_s=totals.blocked.max if totals.blocked.count else 0.0,
    )


def _window(since_s: float | None, until_s: float | None) -> tuple[float, float]:
    """Return the start that all slots of a window are after, and its end."""
    return (since_s or 0) - SLOT_S, 1e15 if until_s is None else until_s


def _bucket(start: int, totals: _Totals) -> TimeBucket:
    if not totals.count:
        return TimeBucket(start, 0, 0, None, None, None)
    quantile = totals.latency.quantile
    return TimeBucket(
        start, totals.count, totals.errors, quantile(0.5), quantile(0.95), quantile(0.99)
    )


def _pairs(rows: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in rows)
