"""The Wavefront reporter of the pipeline: snapshots become lines of the Wavefront convention.

Threads: the pipeline's thread, or that of a flush, one at a time under `_lock`.
Locks: `_lock` guards totals and open minutes; the client's buffers have their own.
Fork: the child starts with no totals and no open minutes.
Loss: a line that a full buffer of the client refuses is counted in `refused` and by the client.
    Deltas and distributions among them are sent with the next report: they would be missing for
    ever, where a cumulative counter or a gauge says it all the next time.
"""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.wavefront.datum_sender import lost_data, put_datum
from wf_instrument.backends.wavefront.histogram_granularity import MINUTE
from wf_instrument.backends.wavefront.row_figures import FACTORS, amount, distribution
from wf_instrument.backends.wavefront.text import is_blank, sanitize_without_quotes
from wf_instrument.errors import QueueFullError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import caught
from wf_instrument.metrics.conventions.hierarchical import Hierarchy, Series
from wf_instrument.metrics.histogram import ExponentialHistogram
from wf_instrument.metrics.wavefront_histogram import MAX_CENTROIDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wf_instrument.backends.wavefront.client import WavefrontClient
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.datum import Datum
    from wf_instrument.reporting.snapshot import (
        Point,
        RequestInterval,
        RequestKey,
        Snapshot,
        Tags,
        WebSocketInterval,
        WebSocketKey,
    )
    from wf_instrument.tracing.span_data import SpanData

__all__ = ["PROVIDED_SOURCE", "WavefrontPipelineReporter"]

#: Source of delta counters that the service adds up.
#: Source: Wavefront SDK, `WAVEFRONT_PROVIDED_SOURCE`.
PROVIDED_SOURCE: Final = "wavefront-provided"

#: For how long distributions that the client refused are offered again.
_KEPT_REFUSED_S: Final = 600
#: A series as the receiver tells it from others: name and tags after sanitising.
_Wire = tuple[str, "Tags"]


class WavefrontPipelineReporter:
    """Reports telemetry of requests and WebSockets, registries and spans through a client.

    Args:
        client: Queues and delivers; closed with the reporter, at the interpreter's end too.
        identity: Whose tags and source the series carry.
        granularities: For how long distributions last in the service.
        send_spans: Whether spans of the pipeline are sent.

    Attributes:
        refused: How many data the client's full buffers refused.
    """

    default_interval_s = 60.0

    def __init__(
        self,
        client: WavefrontClient,
        identity: Identity,
        granularities: Iterable[str] = (MINUTE,),
        *,
        send_spans: bool = True,
    ) -> None:
        self.client = client
        client.sender.leave_exit_to_owner()
        self.refused = 0
        self._identity = identity
        self._own_tags = _own_tags(identity)
        self._granularities = tuple(granularities) or (MINUTE,)
        self._send_spans = send_spans
        self._hierarchy = Hierarchy(identity)
        self._series: dict[RequestKey, list[tuple[Series, _Wire]]] = {}
        self._websocket_series: dict[WebSocketKey, list[Series]] = {}
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._totals: dict[_Wire, float] = {}
        self._owed: dict[tuple[_Wire, str], float] = {}
        self._open: dict[tuple[_Wire, int], ExponentialHistogram] = {}
        self._newest_s = 0

    def report(self, snapshot: Snapshot) -> int:
        """Queue what the snapshot holds; a datum counts as taken when all its lines are."""
        with self._lock:
            at_s = snapshot.ended_ns // 1_000_000_000
            self._newest_s = max(self._newest_s, at_s)
            for wire, source in list(self._owed):
                self._put_delta(wire, 0.0, source)
            taken = self._requests(snapshot, at_s) + self._websockets(snapshot, at_s)
            self._in_flight(snapshot, at_s)
            taken += sum([self._point(point, at_s) for point in snapshot.points])
            for row in snapshot.distributions:
                wire = _wire(row.name, self._registry_tags(row.tags))
                self._keep(wire, row.minute_s, row.histogram)
            taken += len(snapshot.distributions)
            self._send_minutes(before_s=at_s // 60 * 60)
        if not self._send_spans:
            return taken + len(snapshot.spans)
        return taken + sum(self._put(self._span, span) for span in snapshot.spans)

    @property
    def lost(self) -> int:
        """How many data were taken and then dropped, or called bad by the receiver."""
        return lost_data(self.client)

    def wait_when_full(self, timeout_s: float) -> None:
        """Have `put` wait so long for room in the client's buffers."""
        self.client.sender.wait_when_full(timeout_s)

    def put(self, datum: Datum) -> None:
        """Queue one datum as it is.

        Raises:
            ValueError: It cannot be written as a line.
            QueueFullError: The client's buffer is full.
        """
        put_datum(self.client, datum)

    def flush(self, timeout_s: float) -> bool:
        """Send the current minute's distributions too, and wait until all has left."""
        with self._lock:
            self._send_minutes(before_s=self._newest_s + 60)
        return self.client.sender.flush(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Flush and close the client."""
        with self._lock:
            self._send_minutes(before_s=self._newest_s + 60)
        self.client.close(timeout_s)

    def _requests(self, snapshot: Snapshot, at_s: int) -> int:
        """Add up the rows by what they are called on the wire, then send each series once."""
        minute_s = snapshot.started_ns // 60_000_000_000 * 60
        counters: dict[_Wire, float] = {}
        deltas: dict[_Wire, float] = {}
        for row in snapshot.requests:
            for series, wire in self._named(row.key):
                if series.kind == "histogram":
                    self._keep_figure(row, series, wire, minute_s)
                elif row.count:  # work that outlasted its request's interval counts no request
                    sums = counters if series.kind == "counter" else deltas
                    sums[wire] = sums.get(wire, 0.0) + amount(row, series.figure)
        refused_before = self.refused
        self._put_counters(counters, at_s)
        for wire, change in deltas.items():
            self._put_delta(wire, change, PROVIDED_SOURCE)
        return 0 if self.refused > refused_before else len(snapshot.requests)

    def _websockets(self, snapshot: Snapshot, at_s: int) -> int:
        """As `_requests`, of the connections."""
        minute_s = snapshot.started_ns // 60_000_000_000 * 60
        counters: dict[_Wire, float] = {}
        gauges: dict[_Wire, float] = {}
        for row in snapshot.websockets:
            for series in self._named_websockets(row.key):
                wire = _wire(series.name, series.tags)
                if series.kind == "histogram":
                    self._keep_figure(row, series, wire, minute_s)
                elif series.kind == "gauge":
                    gauges[wire] = gauges.get(wire, 0) + row.in_flight
                elif series.figure == "connections":
                    for end, count in row.ends:
                        named = (("status", str(end.status)), ("outcome", end.outcome))
                        wire = _wire(series.name, (*series.tags, *named))
                        counters[wire] = counters.get(wire, 0.0) + count
                else:
                    change: int = getattr(row, series.figure)
                    counters[wire] = counters.get(wire, 0.0) + change
        refused_before = self.refused
        self._put_counters(counters, at_s)
        self._put_gauges(gauges, at_s)
        return 0 if self.refused > refused_before else len(snapshot.websockets)

    def _named_websockets(self, key: WebSocketKey) -> list[Series]:
        known = self._websocket_series.get(key)
        if known is None:
            known = self._hierarchy.of_websockets(key.framework, key.route, key.func, key.module)
            self._websocket_series[key] = known
        return known

    def _put_counters(self, changes: dict[_Wire, float], at_s: int) -> None:
        for wire, change in changes.items():
            total = self._totals[wire] = self._totals.get(wire, 0.0) + change
            name, tags = wire
            self._put(self.client.send_metric, name, total, at_s, self._identity.source, dict(tags))

    def _put_gauges(self, gauges: dict[_Wire, float], at_s: int) -> None:
        for (name, tags), value in gauges.items():
            self._put(self.client.send_metric, name, value, at_s, self._identity.source, dict(tags))

    def _named(self, key: RequestKey) -> list[tuple[Series, _Wire]]:
        known = self._series.get(key)
        if known is None:
            series = self._hierarchy.of_requests(
                key.framework,
                key.route,
                key.func,
                key.module,
                key.method,
                key.status,
                key.dimensions,
            )
            known = [(one, _wire(one.name, one.tags)) for one in series]
            self._series[key] = known
        return known

    def _in_flight(self, snapshot: Snapshot, at_s: int) -> None:
        gauges: dict[_Wire, float] = {}
        for row in snapshot.in_flight:
            series = self._hierarchy.of_in_flight(
                row.framework, row.route, row.func, row.module, row.method
            )
            wire = _wire(series.name, series.tags)
            gauges[wire] = gauges.get(wire, 0) + row.count
        for framework, count in snapshot.total_in_flight:
            if snapshot.requests or snapshot.in_flight or count:
                series = self._hierarchy.of_total_in_flight(framework)
                gauges[_wire(series.name, series.tags)] = count
        self._put_gauges(gauges, at_s)

    def _keep_figure(
        self, row: RequestInterval | WebSocketInterval, series: Series, wire: _Wire, minute_s: int
    ) -> None:
        values = distribution(row, series.figure)
        if values is not None:
            self._keep(wire, minute_s, values, FACTORS[series.figure])

    def _keep(
        self, wire: _Wire, minute_s: int, values: ExponentialHistogram, factor: float = 1.0
    ) -> None:
        """Caller holds `_lock`. Add values to the open minute of a series, in its unit."""
        known = self._open.get((wire, minute_s))
        if known is None:
            self._open[wire, minute_s] = known = ExponentialHistogram()
        known.merge(values if factor == 1.0 else _scaled(values, factor))

    def _send_minutes(self, before_s: int) -> None:
        """Caller holds `_lock`. Send the distributions of minutes that began before a time."""
        done = [key for key in self._open if key[1] < before_s]
        for key in done:
            (name, tags), minute_s = key
            histogram = self._open.pop(key)
            is_settled = self._put(
                self.client.send_distribution,
                name,
                histogram.centroids(MAX_CENTROIDS),
                self._granularities,
                minute_s,
                self._identity.source,
                dict(tags),
            )
            if not is_settled and minute_s >= before_s - _KEPT_REFUSED_S:
                self._open[key] = histogram

    def _point(self, point: Point, at_s: int) -> int:
        source = self._identity.source
        if point.kind == "delta":
            # Deltas of several workers add up: no tag tells them apart.
            wire = _wire(point.name, self._registry_tags(point.tags, is_delta=True))
            return self._put_delta(wire, point.value, source)
        tags = dict(self._registry_tags(point.tags))
        return self._put(self.client.send_metric, point.name, point.value, at_s, source, tags)

    def _registry_tags(self, tags: Tags, *, is_delta: bool = False) -> Tags:
        worker = () if is_delta else _worker_tags(self._identity)
        return tuple({**dict(self._own_tags), **dict(worker), **dict(tags)}.items())

    def _put_delta(self, wire: _Wire, amount: float, source: str) -> int:
        """Caller holds `_lock`. Send a change together with what was refused of it before."""
        total = amount + self._owed.pop((wire, source), 0.0)
        name, tags = wire
        taken = self._put(self.client.send_delta_counter, name, total, source, dict(tags))
        if not taken:
            self._owed[wire, source] = total
        return taken

    def _span(self, span: SpanData) -> None:
        send_span_data(self.client, span, self._identity.source)

    def _put(self, send: Callable[..., None], *arguments: object) -> int:
        """Return 1 when a datum was queued or was no good, 0 when it was refused."""
        try:
            send(*arguments)
        except QueueFullError:
            self.refused += 1
            return 0
        except Exception as error:  # noqa: BLE001 - one datum must not cost the others
            # A name or tag of the application's that is no good; sending it again would not help.
            caught("wavefront.line", error)
        return 1


def send_span_data(client: WavefrontClient, span: SpanData, source: str | None) -> None:
    """Queue a finished span.

    Raises:
        QueueFullError: The client's buffer is full.
    """
    client.send_span(
        span.name if span.name.strip() else "unnamed",
        span.start_ns // 1_000_000,
        span.duration_ns // 1_000_000,
        source,
        uuid.UUID(int=span.trace_id),
        uuid.UUID(int=span.span_id),
        [uuid.UUID(int=span_id) for _, span_id in span.parents],
        [uuid.UUID(int=span_id) for _, span_id in span.follows_from],
        [(key, value) for key, value in span.tags if key.strip() and value.strip()],
        span.logs,
    )


def _wire(name: str, tags: Tags) -> _Wire:
    # Two routes whose names meet after sanitising are one series to the receiver.
    # A blank tag, such as an unset custom one, would make every line of the process invalid.
    return sanitize_without_quotes(name), tuple(
        (sanitize_without_quotes(key), value)
        for key, value in tags
        if not is_blank(key) and not is_blank(value)
    )


def _own_tags(identity: Identity) -> Tags:
    return tuple(
        (key, value)
        for key, value in identity.tags.get_as_list()
        if not is_blank(key) and not is_blank(value)
    )


def _worker_tags(identity: Identity) -> Tags:
    return (("worker", str(identity.worker_slot)),) if identity.worker_slot else ()


def _scaled(values: ExponentialHistogram, factor: float) -> ExponentialHistogram:
    """Return the histogram in another unit: each bucket's values stand at their mean."""
    scaled = ExponentialHistogram()
    for mean, count in values.centroids():
        scaled.add_weighted(mean * factor, count)
    return scaled
