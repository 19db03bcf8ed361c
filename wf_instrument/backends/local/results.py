"""What a reader answers: frozen rows. Times in seconds, Unix time where they are moments."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ProcessRow",
    "RouteSummary",
    "StoredSpan",
    "TimeBucket",
    "TraceSummary",
    "WebSocketSummary",
]


@dataclass(frozen=True, slots=True)
class RouteSummary:
    """One route and method over a window; times in seconds.

    `cpu_share` is this row's part of the CPU time of all rows; `rate_per_s` is over the time from
    the first to the last request seen. Background work lasts from the last byte until the
    application returned; what is counted of it ended in the window. `blocked_count` are requests
    of which one step held the event loop for longer than the setting `loop_block_threshold_ms`.
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
    background_count: int = 0
    background_p95_s: float = 0.0
    blocked_count: int = 0
    blocked_max_s: float = 0.0


@dataclass(frozen=True, slots=True)
class WebSocketSummary:
    """The WebSocket connections of one route over a window; times in seconds.

    `connections` ended in the window, `in_flight` are open now; the quantiles are of the duration
    of those that were accepted and ended.
    """

    framework: str
    route: str | None
    func: str | None
    in_flight: int
    connections: int
    errors: int
    messages_received: int
    messages_sent: int
    received_bytes: int
    sent_bytes: int
    p50_s: float
    p95_s: float
    cpu_s: float
    statuses: tuple[tuple[int, int], ...]


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
