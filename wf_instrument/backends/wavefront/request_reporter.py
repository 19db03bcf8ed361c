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
from wf_instrument.backends.wavefront.ready_lines import (
    delta_line,
    distribution_lines,
    point_line,
)
from wf_instrument.backends.wavefront.row_figures import amounts_of, distribution
from wf_instrument.backends.wavefront.wire_series import PROVIDED_SOURCE, WireSeriesTable
from wf_instrument.errors import QueueFullError
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import caught
from wf_instrument.metrics.wavefront_histogram import MAX_CENTROIDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wf_instrument.backends.wavefront.client import WavefrontClient
    from wf_instrument.backends.wavefront.wire_series import RowSeries, WireSeries
    from wf_instrument.identity import Identity
    from wf_instrument.metrics.histogram import ExponentialHistogram
    from wf_instrument.reporting.datum import Datum
    from wf_instrument.reporting.snapshot import (
        Point,
        RequestInterval,
        Snapshot,
        WebSocketInterval,
    )
    from wf_instrument.tracing.span_data import SpanData

__all__ = ["PROVIDED_SOURCE", "WavefrontPipelineReporter"]

#: For how long distributions that the client refused are offered again.
_KEPT_REFUSED_S: Final = 600


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
        self._granularities = tuple(sorted(set(granularities))) or (MINUTE,)
        self._send_spans = send_spans
        self._slot = identity.worker_slot
        self._series = WireSeriesTable(identity, client.default_source)
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._totals: dict[WireSeries, float] = {}
        self._owed: dict[WireSeries, float] = {}
        # Those of a snapshot are shared, and copied before something is added.
        self._open: dict[tuple[WireSeries, int], ExponentialHistogram] = {}
        self._own: set[tuple[WireSeries, int]] = set()
        self._newest_s = 0

    def report(self, snapshot: Snapshot) -> int:
        """Queue what the snapshot holds; a datum counts as taken when all its lines are."""
        with self._lock:
            self._name_for(snapshot)
            at_s = snapshot.ended_ns // 1_000_000_000
            self._newest_s = max(self._newest_s, at_s)
            deltas = dict.fromkeys(self._owed, 0.0)
            taken = self._requests(snapshot, at_s, deltas) + self._websockets(snapshot, at_s)
            self._in_flight(snapshot, at_s)
            taken += self._points(snapshot.points, at_s)
            for row in snapshot.distributions:
                series = self._series.of_registry("histogram", row.name, row.tags)
                self._keep(series, row.minute_s, row.histogram)
            taken += len(snapshot.distributions)
            self._send_minutes(before_s=at_s // 60 * 60)
        if not self._send_spans:
            return taken + len(snapshot.spans)
        return taken + sum(self._put(self._span, span) for span in snapshot.spans)

    def _name_for(self, snapshot: Snapshot) -> None:
        """Name series anew if the process found itself in another slot. Caller holds `_lock`."""
        identity = self._identity.in_slot_of(snapshot.identity)
        if identity.worker_slot != self._slot:
            self._slot = identity.worker_slot
            self._series = WireSeriesTable(identity, self.client.default_source)

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

    def _requests(self, snapshot: Snapshot, at_s: int, deltas: dict[WireSeries, float]) -> int:
        """Add up the rows by what they are called on the wire, then send each series once.

        `deltas` are those that something is owed of, which are sent with the others.
        """
        minute_s = snapshot.started_ns // 60_000_000_000 * 60
        counters: dict[WireSeries, float] = {}
        for row in snapshot.requests:
            named = self._series.of_requests(row.key)
            self._keep_figures(row, named, minute_s)
            if not row.count:
                continue  # work that outlasted its request's interval counts no request
            amounts = amounts_of(row)
            for series, figure in named.counters:
                counters[series] = counters.get(series, 0.0) + amounts[figure]
            for series, figure in named.deltas:
                deltas[series] = deltas.get(series, 0.0) + amounts[figure]
        refused = self._put_counters(counters, at_s) + self._put_deltas(deltas)
        return 0 if refused else len(snapshot.requests)

    def _websockets(self, snapshot: Snapshot, at_s: int) -> int:
        """As `_requests`, of the connections."""
        minute_s = snapshot.started_ns // 60_000_000_000 * 60
        counters: dict[WireSeries, float] = {}
        gauges: dict[WireSeries, float] = {}
        for row in snapshot.websockets:
            named = self._series.of_websockets(row.key)
            self._keep_figures(row, named, minute_s)
            for series, _ in named.gauges:
                gauges[series] = gauges.get(series, 0) + row.in_flight
            for series, figure in named.counters:
                if figure == "connections":
                    for end, count in row.ends:
                        way = (("status", str(end.status)), ("outcome", end.outcome))
                        of_end = self._series.make("point", series.name, (*series.tags, *way))
                        counters[of_end] = counters.get(of_end, 0.0) + count
                else:
                    change: int = getattr(row, figure)
                    counters[series] = counters.get(series, 0.0) + change
        refused = self._put_counters(counters, at_s) + self._put_points(gauges.items(), at_s)
        return 0 if refused else len(snapshot.websockets)

    def _in_flight(self, snapshot: Snapshot, at_s: int) -> None:
        gauges: dict[WireSeries, float] = {}
        for row in snapshot.in_flight:
            series = self._series.of_in_flight(row)
            gauges[series] = gauges.get(series, 0) + row.count
        for framework, count in snapshot.total_in_flight:
            if snapshot.requests or snapshot.in_flight or count:
                gauges[self._series.of_total_in_flight(framework)] = count
        self._put_points(gauges.items(), at_s)

    def _points(self, points: tuple[Point, ...], at_s: int) -> int:
        """Send what registries hold; return how many of it were taken."""
        values: list[tuple[WireSeries, float]] = []
        deltas: dict[WireSeries, float] = {}
        for point in points:
            if point.kind == "delta":
                series = self._series.of_registry("delta", point.name, point.tags)
                deltas[series] = deltas.get(series, 0.0) + point.value
            else:
                series = self._series.of_registry("point", point.name, point.tags)
                values.append((series, point.value))
        return len(points) - self._put_points(values, at_s) - self._put_deltas(deltas)

    def _keep_figures(
        self, row: RequestInterval | WebSocketInterval, named: RowSeries, minute_s: int
    ) -> None:
        for series, figure in named.histograms:
            values = distribution(row, figure)
            if values is not None:
                self._keep(series, minute_s, values)

    def _keep(self, series: WireSeries, minute_s: int, values: ExponentialHistogram) -> None:
        """Caller holds `_lock`. Add values to the open minute of a series."""
        key = (series, minute_s)
        known = self._open.get(key)
        if known is None:
            self._open[key] = values
            return
        if key not in self._own:
            self._own.add(key)
            known = self._open[key] = known.copy()
        known.merge(values)

    def _send_minutes(self, before_s: int) -> None:
        """Caller holds `_lock`. Send the distributions of minutes that began before a time."""
        done = [key for key in self._open if key[1] < before_s]
        lines: list[str] = []
        sent = []
        for key in done:
            series, minute_s = key
            histogram = self._open[key]
            line = distribution_lines(series, histogram, self._granularities, minute_s)
            if line is not None:
                lines.append(line)
                sent.append(key)
            elif self._put(
                self.client.send_distribution,
                series.name,
                [(m * series.factor, n) for m, n in histogram.centroids(MAX_CENTROIDS)],
                self._granularities,
                minute_s,
                series.source,
                dict(series.tags),
            ):
                self._forget(key)
        refused = set(self._put_lines("histograms", lines))
        for index, key in enumerate(sent):
            if index not in refused:
                self._forget(key)
        for key in done:
            if key[1] < before_s - _KEPT_REFUSED_S:
                self._forget(key)

    def _forget(self, key: tuple[WireSeries, int]) -> None:
        self._open.pop(key, None)
        self._own.discard(key)

    def _put_counters(self, changes: dict[WireSeries, float], at_s: int) -> int:
        totals = self._totals
        for series, change in changes.items():
            totals[series] = totals.get(series, 0.0) + change
        return self._put_points([(series, totals[series]) for series in changes], at_s)

    def _put_points(self, values: Iterable[tuple[WireSeries, float]], at_s: int) -> int:
        """Queue points; return how many were refused."""
        lines: list[str] = []
        refused = 0
        for series, value in values:
            line = point_line(series, value, at_s)
            if line is not None:
                lines.append(line)
            elif not self._put(
                self.client.send_metric, series.name, value, at_s, series.source, dict(series.tags)
            ):
                refused += 1
        return refused + len(self._put_lines("points", lines))

    def _put_deltas(self, changes: dict[WireSeries, float]) -> int:
        """Caller holds `_lock`. Queue changes, each with what was refused of it before.

        Returns:
            How many were refused, and are owed from now on.
        """
        lines: list[str] = []
        sent: list[tuple[WireSeries, float]] = []
        owed: dict[WireSeries, float] = {}
        for series, change in changes.items():
            total = change + self._owed.pop(series, 0.0)
            line = delta_line(series, total)
            if line is None:
                send = self.client.send_delta_counter
                if not self._put(send, series.name, total, series.source, dict(series.tags)):
                    owed[series] = total
            elif total > 0:
                lines.append(line)
                sent.append((series, total))
        for index in self._put_lines("points", lines):
            series, total = sent[index]
            owed[series] = total
        self._owed.update(owed)
        return len(owed)

    def _put_lines(self, kind: str, lines: list[str]) -> list[int]:
        """Queue ready lines; return the positions of those that were refused."""
        refused = self.client.sender.put_all(kind, lines)
        self.refused += len(refused)
        return refused

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
