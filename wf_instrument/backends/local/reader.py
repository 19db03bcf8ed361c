"""Reads a store: what the dashboard and the tables show.

Threads: any; each has a connection of its own, opened at its first call.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.local.schema import SLOT_S, connect
from wf_instrument.metrics.histogram import ExponentialHistogram

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "ProcessRow",
    "RouteSummary",
    "StoreReader",
    "StoredSpan",
    "TimeBucket",
    "TraceSummary",
]

#: A process that has not written for so long is gone, and so are its requests in flight.
_ALIVE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class RouteSummary:
    """One route and method over a window; times in seconds.

    `cpu_share` is this row's part of the CPU time of all rows; `rate_per_s` is over the time from
    the first to the last request seen.
    """

    framework: str
    route: str | None
    func: str | None
    method: str
    count: int
    errors: int
    rate_per_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    mean_s: float
    max_s: float
    latency_sum_s: float
    cpu_s: float
    cpu_share: float
    statuses: tuple[tuple[int, int], ...]
    in_flight: int


@dataclass(frozen=True, slots=True)
class TimeBucket:
    """All requests of a stretch of time; quantiles are None when there were none."""

    start_s: int
    count: int
    errors: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """The server span, or root, of one trace."""

    trace_id: str
    span_id: str
    name: str
    start_s: float
    duration_s: float
    is_error: bool
    method: str | None
    route: str | None
    status: str | None


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """One span; ids in hex."""

    trace_id: str
    span_id: str
    parents: tuple[str, ...]
    follows_from: tuple[str, ...]
    name: str
    start_s: float
    duration_s: float
    is_error: bool
    tags: tuple[tuple[str, str], ...]
    logs: tuple[tuple[int, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One process that wrote into the store."""

    instance_id: str
    pid: int
    source: str
    tags: tuple[tuple[str, str], ...]
    total_in_flight: int
    first_s: float
    last_s: float


class _Totals:
    """What is added up for one row of a table."""

    def __init__(self) -> None:
        self.count = 0
        self.errors = 0
        self.latency = ExponentialHistogram()
        self.cpu_s = 0.0
        self.statuses: dict[int, int] = {}


class StoreReader:
    """Answers questions about a store while others write it.

    Raises:
        StoreError: The store is missing, damaged, or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._connection()

    def close(self) -> None:
        """Close all connections."""
        while self._opened:
            self._opened.pop().close()

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
            cpu,
        ) in self._slots(since_s, until_s):
            totals = rows.setdefault((framework, route, func, method), _Totals())
            totals.count += count
            totals.errors += count if is_error else 0
            totals.latency.merge(ExponentialHistogram.from_bytes(latency))
            if cpu is not None:
                totals.cpu_s += ExponentialHistogram.from_bytes(cpu).sum
            totals.statuses[status] = totals.statuses.get(status, 0) + count
            first_s = slot_s if first_s is None else min(first_s, slot_s)
            last_s = slot_s if last_s is None else max(last_s, slot_s)
        seconds = self._seconds(first_s, last_s)
        all_cpu_s = sum(totals.cpu_s for totals in rows.values())
        running = {(route, method): count for route, method, count in self.in_flight()[1]}
        summaries = [
            _summary(key, totals, seconds, all_cpu_s, running.get((key[1], key[3]), 0))
            for key, totals in rows.items()
        ]
        return sorted(summaries, key=lambda row: -row.count)

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
            route: Of this route alone; with `method`, so that None is the unmatched route.
            method: Of this method alone; None for all routes and methods.
        """
        width = max(SLOT_S, buckets_s // SLOT_S * SLOT_S)
        first = int(since_s // width * width)
        buckets = {start: _Totals() for start in range(first, int(until_s) + 1, width)}
        for slot_s, _, its_route, _, its_method, _, is_error, count, latency, _ in self._slots(
            first, until_s
        ):
            if method is not None and (its_route, its_method) != (route, method):
                continue
            totals = buckets.get(slot_s // width * width)
            if totals is not None:
                totals.count += count
                totals.errors += count if is_error else 0
                totals.latency.merge(ExponentialHistogram.from_bytes(latency))
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
        """Return what the pipelines say of themselves, added up over processes."""
        rows = self._query(
            "SELECT name, tags, sum(value) FROM points WHERE kind LIKE 'self-%' GROUP BY name, tags"
        )
        return {
            name + "".join(f"{{{v}}}" for _, v in json.loads(tags)): value
            for name, tags, value in rows
        }

    def version(self) -> int:
        """Return a number that changes whenever something was written."""
        return int(self._query("PRAGMA data_version")[0][0])

    def _slots(
        self, since_s: float | None, until_s: float | None
    ) -> Iterator[tuple[int, str, str | None, str | None, str, int, int, int, bytes, bytes | None]]:
        yield from self._connection().execute(
            "SELECT slot_s, framework, route, func, method, status, is_error, count, latency, cpu"
            " FROM slots JOIN series ON series.id = series_id WHERE slot_s > ? AND slot_s <= ?",
            # A slot belongs to the window when it ends in it.
            ((since_s or 0) - SLOT_S, 1e15 if until_s is None else until_s),
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
        return self._connection().execute(statement, arguments).fetchall()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self.path, read_only=True)
            self._local.connection = connection
            self._opened.append(connection)
        return connection


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
    )


def _bucket(start: int, totals: _Totals) -> TimeBucket:
    if not totals.count:
        return TimeBucket(start, 0, 0, None, None, None)
    quantile = totals.latency.quantile
    return TimeBucket(
        start, totals.count, totals.errors, quantile(0.5), quantile(0.95), quantile(0.99)
    )


def _pairs(rows: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in rows)
