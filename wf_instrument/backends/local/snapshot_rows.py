"""The parts of a snapshot that need no merging, as rows. All to be called within a transaction."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

from wf_instrument.metrics.histogram import ExponentialHistogram

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from wf_instrument.reporting.snapshot import Point, Snapshot, Tags
    from wf_instrument.tracing.span_data import SpanData

__all__ = [
    "as_json",
    "as_text",
    "bytes_of",
    "histogram_from",
    "is_spans_only",
    "storable",
    "write_points",
    "write_process",
    "write_spans",
]

_INT64: Final = 1 << 63


def is_spans_only(snapshot: Snapshot) -> bool:
    """Whether these are spans sent ahead, which say nothing of requests in flight."""
    return bool(snapshot.spans) and not (
        snapshot.requests
        or snapshot.websockets
        or snapshot.in_flight
        or snapshot.total_in_flight
        or snapshot.points
        or snapshot.self_points
    )


def write_process(connection: sqlite3.Connection, snapshot: Snapshot, now_s: float) -> None:
    """Write who reported, and what it was serving; replaces what it said before."""
    identity = snapshot.identity
    connection.execute(
        "INSERT INTO processes VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (instance_id)"
        " DO UPDATE SET last_s = excluded.last_s, total_in_flight = excluded.total_in_flight",
        (
            identity.instance_id,
            identity.pid,
            as_text(identity.source),
            as_json(identity.tags.get_as_list()),
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
                as_text(row.framework),
                as_text(row.route),
                as_text(row.func),
                as_text(row.method),
                row.count,
                now_s,
            )
            for row in snapshot.in_flight
            if row.count
        ],
    )


def write_spans(connection: sqlite3.Connection, spans: Iterable[SpanData]) -> None:
    """Add spans."""
    connection.executemany(
        "INSERT INTO spans (trace_id, span_id, parents, follows_from, name, start_ns,"
        " duration_ns, is_error, is_root, tags, logs) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                f"{span.trace_id:032x}",
                f"{span.span_id:016x}",
                as_json([f"{parent:016x}" for _, parent in span.parents]),
                as_json([f"{other:016x}" for _, other in span.follows_from]),
                as_text(span.name),
                _int64(span.start_ns),
                _int64(span.duration_ns),
                int(span.is_error),
                int(_is_ranked(span)),
                as_json(span.tags),
                as_json([[log.timestamp_us, log.fields] for log in span.logs]),
            )
            for span in spans
        ],
    )


def _is_ranked(span: SpanData) -> bool:
    """Whether a span stands for its trace among the slowest."""
    # A WebSocket lasts as long as its client stays, which does not make it slow.
    if ("http.status_code", "101") in span.tags:
        return False
    return ("span.kind", "server") in span.tags or not span.parents


def write_points(connection: sqlite3.Connection, snapshot: Snapshot, now_s: float) -> None:
    """Write points, distributions and unmatched paths; add to what adds up."""
    instance_id = snapshot.identity.instance_id
    for points, prefix in ((snapshot.points, ""), (snapshot.self_points, "self-")):
        connection.executemany(
            "INSERT INTO points VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (instance_id, name, tags, kind) DO UPDATE SET seen_s ="
            " excluded.seen_s, value = excluded.value + iif(kind = 'delta', value, 0)",
            [
                (instance_id, as_text(p.name), as_json(p.tags), prefix + p.kind, value, now_s)
                for p, value in storable(points)
            ],
        )
    for row in snapshot.distributions:
        _write_distribution(
            connection, instance_id, row.name, row.tags, row.minute_s, row.histogram
        )
    connection.executemany(
        "INSERT INTO unmatched VALUES (?, ?, ?) ON CONFLICT (path) DO UPDATE SET"
        " count = count + excluded.count, seen_s = excluded.seen_s",
        [(as_text(row.path), row.count, now_s) for row in snapshot.unmatched],
    )


def _write_distribution(
    connection: sqlite3.Connection,
    instance_id: str,
    name: str,
    tags: Tags,
    minute_s: int,
    histogram: ExponentialHistogram,
) -> None:
    """Add to the row, which this process alone writes."""
    key = (as_text(name), as_json(tags), minute_s, instance_id)
    found = connection.execute(
        "SELECT histogram FROM distributions"
        " WHERE name = ? AND tags = ? AND minute_s = ? AND instance_id = ?",
        key,
    ).fetchone()
    if found is not None:
        merged = ExponentialHistogram.from_bytes(found[0])
        merged.merge(histogram)
        histogram = merged
    connection.execute(
        "INSERT OR REPLACE INTO distributions VALUES (?, ?, ?, ?, ?)",
        (*key, histogram.to_bytes()),
    )


def storable(points: Iterable[Point]) -> list[tuple[Point, float]]:
    """Return the points whose value is a finite number, and that number.

    A gauge is whatever the application's callback returned; SQLite has no NaN.
    """
    found = []
    for point in points:
        try:
            value = float(point.value)
        except (TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(value):
            found.append((point, value))
    return found


def _int64(number: int) -> int:
    """Return the nearest number SQLite can store: applications give start times."""
    return max(-_INT64, min(number, _INT64 - 1))


def as_text(value: object) -> object:
    """Return text SQLite can store: lone surrogates of a mis-decoded path have no UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


def as_json(value: object) -> str:
    """Return JSON: ASCII only, and so always storable."""
    return json.dumps(value)


def histogram_from(data: bytes | None) -> ExponentialHistogram | None:
    """Return the histogram of a column; None of an empty one."""
    return None if data is None else ExponentialHistogram.from_bytes(data)


def bytes_of(histogram: ExponentialHistogram | None) -> bytes | None:
    """Return what a column holds of a histogram."""
    return None if histogram is None else histogram.to_bytes()
