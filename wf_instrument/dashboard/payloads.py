"""What the page is told, as JSON-ready values. Times in seconds, quantiles in milliseconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wf_instrument.backends.local.reader import ProcessRow, StoreReader

__all__ = ["WINDOWS_S", "state", "trace"]

#: Windows the page offers, by name; 0 is everything kept.
WINDOWS_S: Final = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "all": 0}
#: Points of a chart at most, so that a long window stays quick to draw.
_MAX_POINTS: Final = 120
_SLOT_S: Final = 10


def state(
    reader: StoreReader, window: str, route: str | None = None, method: str | None = None
) -> dict[str, object]:
    """Return what the page shows for a window; charts of one route when `method` is given."""
    now_s = time.time()
    processes = reader.processes()
    seconds = WINDOWS_S.get(window) or _age_s(processes, now_s)
    since_s = now_s - seconds
    rows = reader.summary(since_s)
    width_s = max(_SLOT_S, int(seconds / _MAX_POINTS // _SLOT_S + 1) * _SLOT_S)
    timeline = reader.timeline(since_s, now_s, width_s, route, method)
    total, _ = reader.in_flight()
    count = sum(row.count for row in rows)
    return {
        "service": _service(processes),
        "processes": sum(1 for process in processes if now_s - process.last_s < _SLOT_S),
        "window": window,
        "now_s": now_s,
        "in_flight": total,
        "requests": count,
        "rate_per_s": sum(row.rate_per_s for row in rows),
        "error_share": sum(row.errors for row in rows) / count if count else 0.0,
        "bucket_s": width_s,
        "routes": [
            {
                "route": row.route,
                "func": row.func,
                "method": row.method,
                "requests": row.count,
                "rate_per_s": row.rate_per_s,
                "errors": row.errors,
                "p50_ms": row.p50_s * 1e3,
                "p95_ms": row.p95_s * 1e3,
                "p99_ms": row.p99_s * 1e3,
                "cpu_share": row.cpu_share,
                "in_flight": row.in_flight,
                "background": row.background_count,
                "background_p95_ms": row.background_p95_s * 1e3,
                "blocked": row.blocked_count,
                "blocked_max_ms": row.blocked_max_s * 1e3,
                "statuses": [list(pair) for pair in row.statuses],
            }
            for row in rows
        ],
        "websockets": _websockets(reader, since_s),
        "timeline": [
            [
                bucket.start_s,
                bucket.count,
                bucket.errors,
                _ms(bucket.p50_s),
                _ms(bucket.p95_s),
                _ms(bucket.p99_s),
            ]
            for bucket in timeline
        ],
        "slowest": [
            {
                "trace_id": row.trace_id,
                "name": row.name,
                "method": row.method,
                "route": row.route,
                "status": row.status,
                "start_s": row.start_s,
                "duration_ms": row.duration_s * 1e3,
                "is_error": row.is_error,
            }
            for row in reader.slowest_traces(since_s, 12)
        ],
        "unmatched": [list(pair) for pair in reader.unmatched(10)],
        "self": reader.self_points(),
    }


def trace(reader: StoreReader, trace_id: str) -> dict[str, object]:
    """Return the spans of a trace."""
    return {
        "trace_id": trace_id,
        "spans": [
            {
                "span_id": span.span_id,
                "parents": list(span.parents),
                "name": span.name,
                "start_s": span.start_s,
                "duration_ms": span.duration_s * 1e3,
                "is_error": span.is_error,
                "tags": [list(pair) for pair in span.tags],
                "logs": [[at / 1e6, [list(pair) for pair in fields]] for at, fields in span.logs],
            }
            for span in reader.trace(trace_id)
        ],
    }


def _websockets(reader: StoreReader, since_s: float) -> list[dict[str, object]]:
    return [
        {
            "route": row.route,
            "func": row.func,
            "in_flight": row.in_flight,
            "connections": row.connections,
            "errors": row.errors,
            "received": row.messages_received,
            "sent": row.messages_sent,
            "p50_ms": row.p50_s * 1e3,
            "p95_ms": row.p95_s * 1e3,
            "statuses": [list(pair) for pair in row.statuses],
        }
        for row in reader.websockets(since_s)
    ]


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def _age_s(processes: list[ProcessRow], now_s: float) -> float:
    return max([now_s - process.first_s for process in processes] or [0.0]) + _SLOT_S


def _service(processes: list[ProcessRow]) -> str:
    if not processes:
        return ""
    tags = dict(processes[0].tags)
    return f"{tags.get('application', '')} / {tags.get('service', '')}"
