"""Writes snapshots into a store, each in one transaction.

Threads: one, that of the reporter.
Fork: a child makes its own writer.
Loss: none while the store can be written; what cannot is kept and written with the next snapshot,
    up to a bound, past which the oldest rows are dropped and counted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.local.schema import SLOT_S, create
from wf_instrument.reporting.merge import merge_requests

if TYPE_CHECKING:
    from pathlib import Path

    from wf_instrument.metrics.histogram import ExponentialHistogram
    from wf_instrument.reporting.snapshot import RequestInterval, RequestKey, Snapshot, Tags
    from wf_instrument.tracing.span_data import SpanData

__all__ = ["StoreWriter"]

_MAX_UNWRITTEN: Final = 20_000
_MAX_SPANS: Final = 50_000
_MAX_UNMATCHED: Final = 1_000
#: Snapshots between two looks at age and size.
_TRIM_EVERY: Final = 60

_SlotKey = tuple[int, "RequestKey"]


class StoreWriter:
    """Keeps the rows of the current ten seconds in memory and writes them, whole, each time.

    So a row belongs to one process, is never read back, and any number of processes write one
    store without losing a count.

    Args:
        path: An existing file, empty or a store.
        retention_s: Rows older than this are deleted.
        max_bytes: The oldest rows are deleted when the file is larger.

    Raises:
        StoreError: The store cannot be written.
    """

    def __init__(self, path: Path, retention_s: float, max_bytes: int) -> None:
        self.dropped = 0
        self._retention_s = retention_s
        self._max_bytes = max_bytes
        self._connection = create(path)
        self._rows: dict[_SlotKey, RequestInterval] = {}
        self._unwritten: set[_SlotKey] = set()
        self._series: dict[RequestKey, int] = {}
        self._written = 0

    def write(self, snapshot: Snapshot) -> None:
        """Write one snapshot.

        Raises:
            sqlite3.Error: It could not be written; requests are kept for the next call.
        """
        now_s = snapshot.ended_ns / 1e9
        # The slot of the interval's start: an interval is shorter than a slot.
        slot_s = int(snapshot.started_ns // 1_000_000_000 // SLOT_S * SLOT_S)
        self._keep(slot_s, snapshot.requests)
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._write_slots(snapshot.identity.instance_id)
            self._write_process(snapshot, now_s)
            self._write_spans(snapshot.spans)
            self._write_points(snapshot, now_s)
            self._written += 1
            if self._written % _TRIM_EVERY == 1:
                self._trim(now_s)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            # Ids given in a transaction that is undone are not there.
            self._series.clear()
            raise
        self._unwritten.clear()
        self._rows = {key: row for key, row in self._rows.items() if key[0] >= slot_s - SLOT_S}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _keep(self, slot_s: int, requests: tuple[RequestInterval, ...]) -> None:
        for row in requests:
            key = (slot_s, row.key)
            known = self._rows.get(key)
            self._rows[key] = row if known is None else merge_requests(known, row)
            self._unwritten.add(key)
        if len(self._unwritten) > _MAX_UNWRITTEN:
            oldest = sorted(self._unwritten, key=lambda item: item[0])
            for key in oldest[: len(oldest) - _MAX_UNWRITTEN]:
                self._unwritten.discard(key)
                self.dropped += self._rows.pop(key).count

    def _write_slots(self, instance_id: str) -> None:
        rows = []
        for slot_s, key in self._unwritten:
            row = self._rows[slot_s, key]
            rows.append(
                (
                    slot_s,
                    self._series_id(key),
                    instance_id,
                    row.count,
                    row.latency.to_bytes(),
                    _bytes(row.cpu),
                    _bytes(row.ttfb),
                    _bytes(row.queued),
                    _bytes(row.request_bytes),
                    _bytes(row.response_bytes),
                )
            )
        self._connection.executemany(
            "INSERT OR REPLACE INTO slots VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
        )

    def _series_id(self, key: RequestKey) -> int:
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
            _json(key.dimensions),
        )
        text = json.dumps(columns)
        self._connection.execute(
            "INSERT OR IGNORE INTO series (key, framework, route, func, module, method, status,"
            " scheme, protocol, outcome, error_type, is_error, dimensions)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (text, *map(_text, columns)),
        )
        (number,) = self._connection.execute(
            "SELECT id FROM series WHERE key = ?", (text,)
        ).fetchone()
        self._series[key] = number
        return int(number)

    def _write_process(self, snapshot: Snapshot, now_s: float) -> None:
        identity = snapshot.identity
        connection = self._connection
        connection.execute(
            "INSERT INTO processes VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (instance_id)"
            " DO UPDATE SET last_s = excluded.last_s, total_in_flight = excluded.total_in_flight",
            (
                identity.instance_id,
                identity.pid,
                _text(identity.source),
                json.dumps(identity.tags.get_as_list()),
                sum(count for _, count in snapshot.total_in_flight),
                snapshot.started_ns / 1e9,
                now_s,
            ),
        )
        # Routes that no longer have requests are reported once with 0 and then no more.
        connection.execute("DELETE FROM in_flight WHERE instance_id = ?", (identity.instance_id,))
        connection.executemany(
            "INSERT INTO in_flight VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    identity.instance_id,
                    row.framework,
                    _text(row.route),
                    _text(row.func),
                    row.method,
                    row.count,
                    now_s,
                )
                for row in snapshot.in_flight
                if row.count
            ],
        )

    def _write_spans(self, spans: tuple[SpanData, ...]) -> None:
        self._connection.executemany(
            "INSERT INTO spans (trace_id, span_id, parents, follows_from, name, start_ns,"
            " duration_ns, is_error, is_root, tags, logs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    f"{span.trace_id:032x}",
                    f"{span.span_id:016x}",
                    _json([f"{parent:016x}" for _, parent in span.parents]),
                    _json([f"{other:016x}" for _, other in span.follows_from]),
                    _text(span.name),
                    span.start_ns,
                    span.duration_ns,
                    int(span.is_error),
                    int(("span.kind", "server") in span.tags or not span.parents),
                    _json(span.tags),
                    _json([[log.timestamp_us, log.fields] for log in span.logs]),
                )
                for span in spans
            ],
        )

    def _write_points(self, snapshot: Snapshot, now_s: float) -> None:
        instance_id = snapshot.identity.instance_id
        connection = self._connection
        for points, prefix in ((snapshot.points, ""), (snapshot.self_points, "self-")):
            connection.executemany(
                "INSERT INTO points VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (instance_id, name, tags, kind) DO UPDATE SET seen_s ="
                " excluded.seen_s, value = excluded.value + iif(kind = 'delta', value, 0)",
                [
                    (instance_id, _text(p.name), _json(p.tags), prefix + p.kind, p.value, now_s)
                    for p in points
                ],
            )
        for row in snapshot.distributions:
            self._write_distribution(instance_id, row.name, row.tags, row.minute_s, row.histogram)
        connection.executemany(
            "INSERT INTO unmatched VALUES (?, ?, ?) ON CONFLICT (path) DO UPDATE SET"
            " count = count + excluded.count, seen_s = excluded.seen_s",
            [(_text(row.path), row.count, now_s) for row in snapshot.unmatched],
        )

    def _write_distribution(
        self,
        instance_id: str,
        name: str,
        tags: Tags,
        minute_s: int,
        histogram: ExponentialHistogram,
    ) -> None:
        """Add to the row, which this process alone writes."""
        from wf_instrument.metrics.histogram import ExponentialHistogram

        key = (_text(name), _json(tags), minute_s, instance_id)
        found = self._connection.execute(
            "SELECT histogram FROM distributions"
            " WHERE name = ? AND tags = ? AND minute_s = ? AND instance_id = ?",
            key,
        ).fetchone()
        if found is not None:
            merged = ExponentialHistogram.from_bytes(found[0])
            merged.merge(histogram)
            histogram = merged
        self._connection.execute(
            "INSERT OR REPLACE INTO distributions VALUES (?, ?, ?, ?, ?)",
            (*key, histogram.to_bytes()),
        )

    def _trim(self, now_s: float) -> None:
        """Delete what is too old; then the oldest, while the file is too large."""
        self._trim_before(now_s - self._retention_s)
        connection = self._connection
        connection.execute(
            "DELETE FROM spans WHERE id <= (SELECT max(id) FROM spans) - ?", (_MAX_SPANS,)
        )
        connection.execute(
            "DELETE FROM unmatched WHERE path NOT IN"
            " (SELECT path FROM unmatched ORDER BY count DESC, seen_s DESC LIMIT ?)",
            (_MAX_UNMATCHED,),
        )
        for _ in range(20):
            pages, free, size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
            first, last = connection.execute(
                "SELECT min(slot_s), max(slot_s) FROM slots"
            ).fetchone()
            if (pages - free) * size <= self._max_bytes or first is None or first == last:
                break
            self._trim_before(first + max(SLOT_S, (last - first) * 0.2))
            connection.execute(
                "DELETE FROM spans WHERE id <="
                " (SELECT min(id) + (max(id) - min(id)) / 5 FROM spans)"
            )
        connection.execute("PRAGMA incremental_vacuum(2000)")

    def _trim_before(self, oldest_s: float) -> None:
        for statement, bound in (
            ("DELETE FROM slots WHERE slot_s < ?", oldest_s),
            ("DELETE FROM distributions WHERE minute_s < ?", oldest_s),
            ("DELETE FROM spans WHERE start_ns < ?", int(oldest_s * 1e9)),
            ("DELETE FROM points WHERE seen_s < ?", oldest_s),
            ("DELETE FROM processes WHERE last_s < ?", oldest_s),
            ("DELETE FROM in_flight WHERE seen_s < ?", oldest_s),
        ):
            self._connection.execute(statement, (bound,))


def _bytes(histogram: ExponentialHistogram | None) -> bytes | None:
    return None if histogram is None else histogram.to_bytes()


def _text(value: object) -> object:
    """Return text SQLite can store: lone surrogates of a mis-decoded path have no UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


def _json(value: object) -> str:
    return json.dumps(value)  # ASCII only, and so always storable
