"""The Wavefront client: formats, queues and delivers, through a proxy or directly.

Threads: any; see `wf_instrument.sender.batch_sender`, which does the waiting and locking.
"""

from __future__ import annotations

import queue
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.wavefront.event_lines import event_to_json, event_to_line_data
from wf_instrument.backends.wavefront.lines import histogram_to_line_data, metric_to_line_data
from wf_instrument.backends.wavefront.span_lines import (
    span_log_to_line_data,
    tracing_span_to_line_data,
)
from wf_instrument.backends.wavefront.text import is_blank
from wf_instrument.errors import QueueFullError
from wf_instrument.identity import default_source
from wf_instrument.metrics.delta_counter import DELTA_PREFIXES
from wf_instrument.sender.batch_sender import BatchSender
from wf_instrument.sender.transport import HttpTransport

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wf_instrument.tracing.span_data import SpanLog

__all__ = ["WavefrontClient"]

#: Kind to the `f=` of `/report`. Source: Wavefront SDK, `WAVEFRONT_*_FORMAT`.
FORMATS: Final = {
    "points": "wavefront",
    "histograms": "histogram",
    "spans": "trace",
    "span_logs": "spanLogs",
    "events": "event",
}
REPORT_END_POINT: Final = "/report"
EVENT_END_POINT: Final = "/api/v2/event"
CLOSE_TIMEOUT_S: Final = 5.0


class WavefrontClient:
    """Sends metrics, histograms, spans and events.

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
        self._is_direct = bool(token)
        self.sender = BatchSender(
            "wavefront",
            FORMATS,
            self._deliver,
            queue_size=max_queue_size,
            batch_size=batch_size,
            flush_interval_s=flush_interval_seconds,
            # The service takes one event a request; a proxy takes lines.
            batch_sizes={"events": 1} if self._is_direct else None,
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
        with self._counting_invalid("points"):
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
        with self._counting_invalid("points"):
            if is_blank(name):
                raise ValueError(f"delta counter name is {name!r}; it must not be blank")
        # Put so that NaN, which is neither above nor below, is not ignored but refused.
        if not value <= 0:
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
        with self._counting_invalid("histograms"):
            line = histogram_to_line_data(
                name,
                centroids,
                histogram_granularities,
                timestamp,
                source,
                tags,
                self.default_source,
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
        with self._counting_invalid("spans"):
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
            with self._counting_invalid("span_logs"):
                logs = span_log_to_line_data(trace_id, span_id, span_logs, line)
            self._put("span_logs", logs)

    def send_event(
        self,
        name: str,
        start_time: int,
        end_time: int | None,
        source: str | None,
        tags: Iterable[str] | None,
        annotations: Mapping[str, str] | None,
    ) -> None:
        """Queue an event; see `event_to_line_data`. Raises as `send_metric`."""
        to_text = event_to_json if self._is_direct else event_to_line_data
        with self._counting_invalid("events"):
            text = to_text(
                name, start_time, end_time, source, tags, annotations, self.default_source
            )
        self._put("events", text)

    def send_formatted_metric(self, line: str) -> None:
        """Queue a ready metric line.

        Raises:
            ValueError: It is blank, or more than one line.
            QueueFullError: The buffer is full.
        """
        with self._counting_invalid("points"):
            if is_blank(line) or "\n" in line.strip():
                raise ValueError(f"metric line is {line[:100]!r}; give one line")
        self._put("points", line.strip() + "\n")

    def send_metric_now(self, metrics: Sequence[str]) -> None:
        """Send ready metric lines at once.

        Raises:
            SendError: They were not taken.
        """
        self.sender.deliver_now("points", _ended(metrics))

    def send_distribution_now(self, distributions: Sequence[str]) -> None:
        """Send ready histogram lines at once. Raises SendError."""
        self.sender.deliver_now("histograms", _ended(distributions))

    def send_span_now(self, spans: Sequence[str]) -> None:
        """Send ready span lines at once. Raises SendError."""
        self.sender.deliver_now("spans", _ended(spans))

    def send_span_log_now(self, span_logs: Sequence[str]) -> None:
        """Send ready span log lines at once. Raises SendError."""
        self.sender.deliver_now("span_logs", _ended(span_logs))

    def send_event_now(self, events: Sequence[str]) -> None:
        """Send ready events at once: lines to a proxy, JSON to the service. Raises SendError."""
        self.sender.deliver_now("events", _ended(events))

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

    @contextmanager
    def _counting_invalid(self, kind: str) -> Iterator[None]:
        try:
            yield
        except ValueError:
            self.sender.count_invalid(kind)
            raise

    def _put(self, kind: str, line: str) -> None:
        if not self.sender.put(kind, line):
            state = "the client is closed" if self.sender.is_closed else f"buffer of {kind} is full"
            raise QueueFullError(f"{state}; the newest datum was dropped")

    def _deliver(self, kind: str, lines: Sequence[str], timeout_s: float | None) -> None:
        # "replace": a ready line of the caller's may hold what has no UTF-8.
        body = "".join(lines).encode("utf-8", "replace")
        if kind == "events" and self._is_direct:
            headers = {"Content-Type": "application/json"}
            self._transport.post(EVENT_END_POINT, body, headers, timeout_s, compress=False)
        else:
            path = f"{REPORT_END_POINT}?f={FORMATS[kind]}"
            headers = {"Content-Type": "application/octet-stream"}
            self._transport.post(path, body, headers, timeout_s)


def _ended(lines: Sequence[str]) -> list[str]:
    """Return lines that each end in one newline, without the blank ones."""
    given = [lines] if isinstance(lines, str) else lines
    return [line.strip("\n") + "\n" for line in given if not is_blank(line)]
