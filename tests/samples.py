"""Snapshots made by hand, for the tests of reporters."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from wf_instrument.identity import ApplicationTags, Identity
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.reporting.snapshot import (
    Outcome,
    RequestInterval,
    RequestKey,
    Snapshot,
    WebSocketEnd,
    WebSocketInterval,
    WebSocketKey,
)
from wf_instrument.tracing.span_data import SpanData

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

IDENTITY = Identity(
    ApplicationTags("Ordering", "styling", "us-west-1", "primary", [("env", "Staging")]), "host-1"
)


def histogram(values: Iterable[float]) -> ExponentialHistogram:
    made = ExponentialHistogram()
    made.add_many(values)
    return made


def request_row(
    route: str | None,
    status: int,
    seconds: list[float],
    *,
    method: str = "GET",
    func: str | None = "view",
    error: str | None = None,
) -> RequestInterval:
    outcome: Outcome = "ok"
    if status >= 400:
        outcome = "server_error" if status >= 500 else "client_error"
    key = RequestKey("flask", route, func, method, status, outcome=outcome, error_type=error)
    return RequestInterval(
        key,
        len(seconds),
        histogram(seconds),
        ttfb=histogram(value / 2 for value in seconds),
        cpu=histogram(value / 4 for value in seconds),
        response_bytes=histogram(1000.0 for _ in seconds),
        request_bytes=histogram(0.0 for _ in seconds),
    )


def websocket_row(
    route: str | None, *ends: WebSocketEnd, func: str | None = "chat", in_flight: int = 0
) -> WebSocketInterval:
    """Return connections that ended so, each after two seconds and three messages sent."""
    return WebSocketInterval(
        WebSocketKey("starlette", route, func),
        in_flight=in_flight,
        messages_received=2 * len(ends),
        messages_sent=3 * len(ends),
        received_bytes=20 * len(ends),
        sent_bytes=30 * len(ends),
        ends=tuple(Counter(ends).items()),
        duration=histogram(2.0 for _ in ends) if ends else None,
        cpu_s=0.5 * len(ends),
    )


def span(name: str, trace_id: int, *, duration_ms: int = 10, start_s: float = 0) -> SpanData:
    return SpanData(
        name=name,
        trace_id=trace_id,
        span_id=trace_id + 1,
        start_ns=int((start_s or time.time()) * 1e9),
        duration_ns=duration_ms * 1_000_000,
        tags=(
            ("application", "Ordering"),
            ("span.kind", "server"),
            ("http.method", "GET"),
            ("http.route", "/a"),
            ("http.status_code", "200"),
        ),
    )


def snapshot(
    *,
    requests: Iterable[RequestInterval] = (),
    spans: Iterable[SpanData] = (),
    total_in_flight: Mapping[str, int] | None = None,
    at_s: float | None = None,
    length_s: float = 1.0,
    identity: Identity = IDENTITY,
    **rest: Any,
) -> Snapshot:
    end_s = time.time() if at_s is None else at_s + length_s
    return Snapshot(
        identity=identity,
        started_ns=int((end_s - length_s) * 1e9),
        ended_ns=int(end_s * 1e9),
        requests=tuple(requests),
        spans=tuple(spans),
        total_in_flight=tuple((total_in_flight or {}).items()),
        **{name: tuple(rows) for name, rows in rest.items()},
    )
