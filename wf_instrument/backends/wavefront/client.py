"""The Wavefront client: formats, queues and delivers, through a proxy or directly.

Threads: any; see `wf_instrument.sender.batch_sender`, which does the waiting and locking.
"""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.wavefront.lines import histogram_to_line_data, metric_to_line_data
from wf_instrument.backends.wavefront.span_lines import (
    span_log_to_line_data,
    tracing_span_to_line_data,
)
from wf_instrument.errors import QueueFullError
from wf_instrument.identity import default_source
from wf_instrument.metrics.delta_counter import DELTA_PREFIXES
from wf_instrument.sender.batch_sender import BatchSender
from wf_instrument.sender.transport import HttpTransport

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable, Mapping, Sequence

    from wf_instrument.tracing.span_data import SpanLog

__all__ = ["WavefrontClient"]

#: Kind to the `f=` of `/report`. Source: Wavefront SDK, `WAVEFRONT_*_FORMAT`.
FORMATS: Final = {
    "points": "wavefront",
    "histograms": "histogram",
    "spans": "trace",
    "span_logs": "spanLogs",
}
CLOSE_TIMEOUT_S: Final = 5.0


class WavefrontClient:
    """Sends metrics, histograms and spans.

    Args:
        server: `http://proxy:2878` or `https://cluster`.
        token: API token for direct ingestion; None or empty for a proxy.
        max_queue_size: Data of one kind that may wait; further ones are refused.
        batch_size: Data of one request.
        flush_interval_seconds: Seconds between two deliveries.
        enable_internal_metrics: Kept for programs of the Wavefront SDK.
        queue_impl: Kept for programs of the Wavefront SDK; the client's own buffers are used.

    Raises:
        ConfigError: A token would travel over plain HTTP to another machine.
    """

    def __init__(
        self,
        server: str,
        token: str | None = None,
        max_queue_size: int = 50_000,
        batch_size: int = 10_000,
        flush_interval_seconds: float = 5,
        enable_internal_metrics: bool = True,
        queue_impl: type = queue.Queue,
    ) -> None:
        self.server = server
        self.default_source = default_source()
        self.enable_internal_metrics = enable_internal_metrics
        self._transport = HttpTransport(server, token or None)
        self.sender = BatchSender(
            "wavefront",
            FORMATS,
            self._deliver,
            queue_size=max_queue_size,
            batch_size=batch_size,
            flush_interval_s=flush_interval_seconds,
        )

    def __repr__(self) -> str:
        return f"WavefrontClient({self._transport.server!r})"

    def send_metric(
        self,
        name: str,
        value: float,
        timestamp: int | None,
        source: str | None,
        tags: Mapping[str, str] | None,
    ) -> None:
        """Queue a point.

        Raises:
            ValueError: See `metric_to_line_data`.
            QueueFullError: The buffer is full; also a `queue.Full`.
        """
        line = metric_to_line_data(name, value, timestamp, source, tags, self.default_source)
        self._put("points", line)

    def send_delta_counter(
        self,
        name: str,
        value: float,
        source: str | None,
        tags: Mapping[str, str] | None,
        timestamp: int | None = None,
    ) -> None:
        """Queue the change of a counter; one of 0 or below is ignored. Raises as `send_metric`."""
        if value > 0:
            delta_name = name if name.startswith(DELTA_PREFIXES) else DELTA_PREFIXES[0] + name
            self.send_metric(delta_name, value, timestamp, source, tags)

    def send_distribution(
        self,
        name: str,
        centroids: Sequence[tuple[float, int]],
        histogram_granularities: Iterable[str],
        timestamp: int | None,
        source: str | None,
        tags: Mapping[str, str] | None,
    ) -> None:
        """Queue a distribution of (mean, count) pairs. Raises as `send_metric`."""
        line = histogram_to_line_data(
            name, centroids, histogram_granularities, timestamp, source, tags, self.default_source
        )
        self._put("histograms", line)

    def send_span(
        self,
        name: str,
        start_millis: int,
        duration_millis: int,
        source: str | None,
        trace_id: uuid.UUID,
        span_id: uuid.UUID,
        parents: Iterable[uuid.UUID] | None,
        follows_from: Iterable[uuid.UUID] | None,
        tags: Iterable[tuple[str, str]] | None,
        span_logs: Sequence[SpanLog] | None,
    ) -> None:
        """Queue a span and its logs. Raises as `send_metric`."""
        line = tracing_span_to_line_data(
            name,
            start_millis,
            duration_millis,
            source,
            trace_id,
            span_id,
            parents,
            follows_from,
            tags,
            span_logs,
            self.default_source,
        )
        self._put("spans", line)
        if span_logs:
            self._put("span_logs", span_log_to_line_data(trace_id, span_id, span_logs, line))

    def send_formatted_metric(self, line: str) -> None:
        """Queue a ready metric line. Raises QueueFullError."""
        self._put("points", line if line.endswith("\n") else line + "\n")

    def send_metric_now(self, metrics: Sequence[str]) -> None:
        """Send ready metric lines at once.

        Raises:
            SendError: They were not taken.
        """
        self.sender.deliver_now("points", list(metrics))

    def send_distribution_now(self, distributions: Sequence[str]) -> None:
        """Send ready histogram lines at once. Raises SendError."""
        self.sender.deliver_now("histograms", list(distributions))

    def send_span_now(self, spans: Sequence[str]) -> None:
        """Send ready span lines at once. Raises SendError."""
        self.sender.deliver_now("spans", list(spans))

    def send_span_log_now(self, span_logs: Sequence[str]) -> None:
        """Send ready span log lines at once. Raises SendError."""
        self.sender.deliver_now("span_logs", list(span_logs))

    def flush_now(self) -> None:
        """Deliver what waits, within a few seconds."""
        self.sender.flush(CLOSE_TIMEOUT_S)

    def get_failure_count(self) -> int:
        """Return how many deliveries failed."""
        return self.sender.failure_count()

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Deliver what waits within `timeout_s` and stop; a second call does nothing."""
        self.sender.close(timeout_s)
        self._transport.close()

    def _put(self, kind: str, line: str) -> None:
        if not self.sender.put(kind, line):
            raise QueueFullError(f"the buffer of {kind} is full; the newest datum was dropped")

    def _deliver(self, kind: str, lines: Sequence[str]) -> None:
        self._transport.post(
            f"/report?f={FORMATS[kind]}",
            "".join(lines).encode(),
            {"Content-Type": "application/octet-stream"},
        )
