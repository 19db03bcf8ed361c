"""The SignalFx reporter of the pipeline: snapshots become data points in dimensional names.

A histogram is sent as `.count` and `.sum`, cumulative, and `.min`, `.max` and percentiles of the
interval. Spans are left out and counted: the service takes them another way.

Threads: the pipeline's thread, or that of a flush, one at a time under `_lock`.
Locks: `_lock` guards totals and owed changes; the client has its own.
Fork: the child starts with no totals.
Loss: a point that the client's full queue refuses is counted in `refused`. Changes among them go
    with the next report; totals and gauges say it all the next time.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from wf_instrument.backends.signalfx.request_series import (
    PERCENTILES,
    Dimensions,
    dimensions_of,
    identity_dimensions,
    request_dimensions,
    websocket_dimensions,
)
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import caught
from wf_instrument.metrics.conventions.dimensional import REQUEST_FIGURES
from wf_instrument.metrics.delta_counter import DELTA_PREFIXES
from wf_instrument.metrics.histogram import ExponentialHistogram

if TYPE_CHECKING:
    from wf_instrument.backends.signalfx.ingest_client import IngestClient
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.snapshot import Snapshot, WebSocketInterval

__all__ = ["SignalFxPipelineReporter"]

_Series = tuple[str, Dimensions]


class SignalFxPipelineReporter:
    """Reports telemetry of requests and WebSockets, and registries, through an ingest client.

    Args:
        client: Queues and delivers; stopped with the reporter.
        identity: Whose dimensions the series carry.

    Attributes:
        refused: How many points the client's full queue refused.
        spans_left_out: How many spans came and were not sent.
    """

    default_interval_s = 10.0

    def __init__(self, client: IngestClient, identity: Identity) -> None:
        self.client = client
        client.leave_exit_to_owner()
        self.refused = 0
        self.spans_left_out = 0
        self._identity = identity
        self._own = identity_dimensions(identity)
        self._is_closed = False
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._totals: dict[_Series, float] = {}
        self._owed: dict[_Series, float] = {}
        self._queued: list[tuple[_Series | None, float, tuple[str, bytes]]] = []
        self._at_ms = 0

    def report(self, snapshot: Snapshot) -> int:
        """Queue what the snapshot holds; rows count as taken when all their points are."""
        with self._lock:
            self._own = identity_dimensions(self._identity.in_slot_of(snapshot.identity))
            self._at_ms = snapshot.ended_ns // 1_000_000
            owed, self._owed = self._owed, {}
            for series, change in owed.items():
                self._change(series, change)
            self._put()
            self._requests(snapshot)
            taken = len(snapshot.requests) if self._put() else 0
            self._websockets(snapshot)
            taken += len(snapshot.websockets) if self._put() else 0
            self._in_flight(snapshot)
            self._put()
            self._points(snapshot)
            taken += len(snapshot.points) if self._put() else 0
            for row in snapshot.distributions:
                self._histogram((row.name, dimensions_of(row.tags)), row.histogram)
            taken += len(snapshot.distributions) if self._put() else 0
        self.spans_left_out += len(snapshot.spans)
        return taken + len(snapshot.spans)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was queued so far has left."""
        return self.client.flush(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Stop the client."""
        if not self._is_closed:
            self._is_closed = True
            self.client.stop("reporter closed", timeout_s=timeout_s)

    def _requests(self, snapshot: Snapshot) -> None:
        """Add up the rows by what they are called on the wire, then send each series once."""
        merged: dict[_Series, ExponentialHistogram] = {}
        for row in snapshot.requests:
            dimensions = request_dimensions(row.key)
            for field, metric in REQUEST_FIGURES.items():
                _merge(merged, (metric, dimensions), getattr(row, field))
            route = dimensions_of([("http.route", row.key.route)])
            _merge(merged, ("asyncio.loop.blocked_time", route), row.blocked)
        for series, values in merged.items():
            self._histogram(series, values)

    def _websockets(self, snapshot: Snapshot) -> None:
        gauges: dict[_Series, float] = {}
        merged: dict[_Series, ExponentialHistogram] = {}
        for row in snapshot.websockets:
            named = websocket_dimensions(row.key)
            active = ("websocket.server.active_connections", named)
            gauges[active] = gauges.get(active, 0) + row.in_flight
            _merge(merged, ("websocket.server.connection.duration", named), row.duration)
            self._websocket_counts(row, named)
        for series, value in gauges.items():
            self._add("gauge", series, value)
        for series, values in merged.items():
            self._histogram(series, values)

    def _websocket_counts(self, row: WebSocketInterval, named: Dimensions) -> None:
        for end, count in row.ends:
            how = dimensions_of([*named, ("status", end.status), ("outcome", end.outcome)])
            self._total(("websocket.server.connections", how), count)
        for name in ("messages_received", "messages_sent", "received_bytes", "sent_bytes"):
            self._total((f"websocket.server.{name}", named), getattr(row, name))

    def _in_flight(self, snapshot: Snapshot) -> None:
        gauges: dict[_Series, float] = {}
        for row in snapshot.in_flight:
            named = dimensions_of(
                [
                    ("http.request.method", row.method),
                    ("http.route", row.route),
                    ("url.scheme", row.scheme),
                ]
            )
            series = ("http.server.active_requests", named)
            gauges[series] = gauges.get(series, 0) + row.count
        for series, value in gauges.items():
            self._add("gauge", series, value)

    def _points(self, snapshot: Snapshot) -> None:
        for point in snapshot.points:
            name = point.name[1:] if point.name.startswith(DELTA_PREFIXES) else point.name
            series = (name, dimensions_of(point.tags))
            if point.kind == "delta":
                self._change(series, point.value)
            else:
                kind = "cumulative_counter" if point.kind == "counter" else "gauge"
                self._add(kind, series, point.value)

    def _histogram(self, series: _Series, values: ExponentialHistogram) -> None:
        """Caller holds `_lock`."""
        name, dimensions = series
        if not values.count:
            return
        self._total((f"{name}.count", dimensions), values.count)
        self._total((f"{name}.sum", dimensions), values.sum)
        self._add("gauge", (f"{name}.min", dimensions), values.min)
        self._add("gauge", (f"{name}.max", dimensions), values.max)
        for part, share in PERCENTILES:
            self._add("gauge", (f"{name}.{part}", dimensions), values.quantile(share))

    def _total(self, series: _Series, change: float) -> None:
        """Caller holds `_lock`. Send a total that only grows."""
        total = self._totals[series] = self._totals.get(series, 0) + change
        self._add("cumulative_counter", series, total)

    def _change(self, series: _Series, change: float) -> None:
        """Caller holds `_lock`. Send a change, which has to be sent later when it is refused."""
        self._add("counter", series, change, series)

    def _add(self, kind: str, series: _Series, value: float, owed: _Series | None = None) -> None:
        name, dimensions = series
        point: dict[str, Any] = {
            "metric": name,
            "value": value,
            "timestamp": self._at_ms,
            "dimensions": {**dict(dimensions), **dict(self._own)},
        }
        try:
            self._queued.append((owed, value, self.client.encode(kind, point)))
        except Exception as error:  # noqa: BLE001 - one datum must not cost the others
            caught("signalfx.point", error)

    def _put(self) -> bool:
        """Caller holds `_lock`. Queue what was added; False when any of it was refused."""
        queued, self._queued = self._queued, []
        if not queued:
            return True
        taken = self.client.put_encoded([point for _, _, point in queued])
        for (series, change, _), is_taken in zip(queued, taken, strict=True):
            if not is_taken:
                self.refused += 1
                if series is not None:
                    self._owed[series] = self._owed.get(series, 0.0) + change
        return all(taken)


def _merge(
    merged: dict[_Series, ExponentialHistogram],
    series: _Series,
    values: ExponentialHistogram | None,
) -> None:
    if values is not None and values.count:
        merged.setdefault(series, ExponentialHistogram()).merge(values)
