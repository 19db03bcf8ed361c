"""Adding up snapshots: two intervals in a row become one that says the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from wf_instrument.reporting.snapshot import (
    Exemplar,
    InFlight,
    MinuteDistribution,
    Point,
    RequestInterval,
    RequestKey,
    Snapshot,
    UnmatchedPath,
    WebSocketInterval,
    WebSocketKey,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wf_instrument.metrics.histogram import ExponentialHistogram

__all__ = ["merge_requests", "merge_snapshots", "merge_websockets"]

_T = TypeVar("_T")


def merge_snapshots(earlier: Snapshot, later: Snapshot) -> Snapshot:
    """Return one snapshot for both intervals; neither argument is changed.

    Counts, histograms and deltas add up; gauges, cumulative counters and what is running are
    those of `later`, where it has them.
    """
    return replace(
        later,
        started_ns=earlier.started_ns,
        requests=_requests(earlier.requests, later.requests),
        websockets=_websockets(earlier.websockets, later.websockets),
        in_flight=_latest(earlier.in_flight, later.in_flight, _in_flight_key),
        total_in_flight=tuple(
            {**dict(earlier.total_in_flight), **dict(later.total_in_flight)}.items()
        ),
        unmatched=_unmatched(earlier.unmatched, later.unmatched),
        points=_points(earlier.points, later.points),
        distributions=_distributions(earlier.distributions, later.distributions),
        spans=earlier.spans + later.spans,
        self_points=_latest(earlier.self_points, later.self_points, lambda p: (p.name, p.tags)),
    )


def _requests(
    earlier: tuple[RequestInterval, ...], later: tuple[RequestInterval, ...]
) -> tuple[RequestInterval, ...]:
    if not earlier or not later:
        return earlier or later
    merged: dict[RequestKey, RequestInterval] = {}
    # Also those of one side: two applications of one process may spell a route alike.
    for row in (*earlier, *later):
        known = merged.get(row.key)
        merged[row.key] = row if known is None else merge_requests(known, row)
    return tuple(merged.values())


def merge_requests(a: RequestInterval, b: RequestInterval) -> RequestInterval:
    """Return one row for two of the same key; neither is changed."""
    latency = a.latency.copy()
    latency.merge(b.latency)
    return RequestInterval(
        key=a.key,
        count=a.count + b.count,
        latency=latency,
        ttfb=_add(a.ttfb, b.ttfb),
        cpu=_add(a.cpu, b.cpu),
        queued=_add(a.queued, b.queued),
        request_bytes=_add(a.request_bytes, b.request_bytes),
        response_bytes=_add(a.response_bytes, b.response_bytes),
        background=_add(a.background, b.background),
        blocked=_add(a.blocked, b.blocked),
        exemplars=_exemplars(a.exemplars, b.exemplars),
    )


def _websockets(
    earlier: tuple[WebSocketInterval, ...], later: tuple[WebSocketInterval, ...]
) -> tuple[WebSocketInterval, ...]:
    if not earlier or not later:
        return earlier or later
    merged = _of_one_moment(earlier)
    for key, row in _of_one_moment(later).items():
        known = merged.get(key)
        merged[key] = row if known is None else merge_websockets(known, row)
    return tuple(merged.values())


def _of_one_moment(
    rows: tuple[WebSocketInterval, ...],
) -> dict[WebSocketKey, WebSocketInterval]:
    # Two applications of one process may spell a route alike: what they serve adds up.
    merged: dict[WebSocketKey, WebSocketInterval] = {}
    for row in rows:
        known = merged.get(row.key)
        if known is not None:
            in_flight = known.in_flight + row.in_flight
            row = replace(merge_websockets(known, row), in_flight=in_flight)
        merged[row.key] = row
    return merged


def merge_websockets(a: WebSocketInterval, b: WebSocketInterval) -> WebSocketInterval:
    """Return one row for two of the same key, `b` the later one; neither is changed."""
    ends = dict(a.ends)
    for end, count in b.ends:
        ends[end] = ends.get(end, 0) + count
    no_cpu = a.cpu_s is None and b.cpu_s is None
    return WebSocketInterval(
        key=a.key,
        in_flight=b.in_flight,
        messages_received=a.messages_received + b.messages_received,
        messages_sent=a.messages_sent + b.messages_sent,
        received_bytes=a.received_bytes + b.received_bytes,
        sent_bytes=a.sent_bytes + b.sent_bytes,
        ends=tuple(ends.items()),
        duration=_add(a.duration, b.duration),
        cpu_s=None if no_cpu else (a.cpu_s or 0.0) + (b.cpu_s or 0.0),
        blocked=_add(a.blocked, b.blocked),
    )


def _exemplars(a: tuple[Exemplar, ...], b: tuple[Exemplar, ...]) -> tuple[Exemplar, ...]:
    if not a or not b:
        return a or b
    latest = {one.bucket: one for one in sorted((*a, *b), key=lambda one: one.time_ns)}
    return tuple(latest[bucket] for bucket in sorted(latest))


def _add(
    a: ExponentialHistogram | None, b: ExponentialHistogram | None
) -> ExponentialHistogram | None:
    if a is None:
        return b
    if b is None:
        return a
    merged = a.copy()
    merged.merge(b)
    return merged


def _latest(
    earlier: tuple[_T, ...], later: tuple[_T, ...], key: Callable[[_T], object]
) -> tuple[_T, ...]:
    if not earlier or not later:
        return earlier or later
    rows = {key(row): row for row in earlier}
    rows.update((key(row), row) for row in later)
    return tuple(rows.values())


def _in_flight_key(row: InFlight) -> object:
    return (row.framework, row.route, row.func, row.module, row.method, row.scheme)


def _points(earlier: tuple[Point, ...], later: tuple[Point, ...]) -> tuple[Point, ...]:
    if not earlier or not later:
        return earlier or later
    rows = {(p.name, p.tags, p.kind): p for p in earlier}
    for point in later:
        key = (point.name, point.tags, point.kind)
        known = rows.get(key)
        if known is not None and point.kind == "delta":
            rows[key] = replace(point, value=known.value + point.value)
        else:
            rows[key] = point
    return tuple(rows.values())


def _distributions(
    earlier: tuple[MinuteDistribution, ...], later: tuple[MinuteDistribution, ...]
) -> tuple[MinuteDistribution, ...]:
    if not earlier or not later:
        return earlier or later
    rows = {(d.name, d.tags, d.minute_s): d for d in earlier}
    for row in later:
        key = (row.name, row.tags, row.minute_s)
        known = rows.get(key)
        if known is None:
            rows[key] = row
        else:
            histogram = known.histogram.copy()
            histogram.merge(row.histogram)
            rows[key] = replace(row, histogram=histogram)
    return tuple(rows.values())


def _unmatched(
    earlier: Iterable[UnmatchedPath], later: Iterable[UnmatchedPath], keep: int = 100
) -> tuple[UnmatchedPath, ...]:
    counts: dict[str, int] = {}
    for row in (*earlier, *later):
        counts[row.path] = counts.get(row.path, 0) + row.count
    top = sorted(counts.items(), key=lambda item: -item[1])[:keep]
    return tuple(UnmatchedPath(path, count) for path, count in top)
