"""The deprecated client of a proxy: lines over TCP, to a port for each kind of data.

Threads: any; the caller's thread writes. See `raw_connection` for locks and fork.
Loss: what cannot be sent is not kept: it is counted, and logged at most once a minute.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wf_instrument._version import __version__
from wf_instrument.backends.wavefront.event_lines import event_to_line_data
from wf_instrument.backends.wavefront.feeders import Feeders
from wf_instrument.backends.wavefront.lines import (
    histogram_to_line_data,
    is_change,
    metric_to_line_data,
)
from wf_instrument.backends.wavefront.raw_connection import ProxyConnectionHandler
from wf_instrument.backends.wavefront.sdk_metrics import WavefrontSdkMetricsRegistry
from wf_instrument.backends.wavefront.span_lines import (
    span_log_to_line_data,
    tracing_span_to_line_data,
)
from wf_instrument.backends.wavefront.text import is_blank
from wf_instrument.errors import ConfigError, SendError
from wf_instrument.guard import RateLimitedLog
from wf_instrument.identity import default_source
from wf_instrument.metrics.delta_counter import get_delta_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from wf_instrument.backends.wavefront.feeders import Feeder
    from wf_instrument.tracing.span_data import SpanLog

__all__ = ["WavefrontProxyClient"]

log = logging.getLogger(__name__)

#: Kind of data to the argument that gives its port.
_PORT_NAMES: Final = {
    "points": "metrics_port",
    "histograms": "distribution_port",
    "spans": "tracing_port",
    "span_logs": "tracing_port",
    "events": "event_port",
}
#: Source: Wavefront SDK, internal metrics of a proxy client.
_INTERNAL_PREFIX: Final = "~sdk.python.core.sender.proxy"


class WavefrontProxyClient:
    """Sends lines to the ports of a Wavefront proxy; connects with the first line of a port.

    Deprecated: use `WavefrontClientFactory` with `proxy://HOST:PORT`, which keeps what a proxy that
    is away does not take.

    Args:
        host: The proxy.
        metrics_port: Where points go; None where none are sent, as for all ports.
        distribution_port: Where distributions go.
        tracing_port: Where spans and their logs go.
        event_port: Where events go.
        timeout: Seconds that connecting, and writing, may take; 10 when None.
        enable_internal_metrics: Whether the client reports on itself, every minute.
    """

    def __init__(
        self,
        host: str,
        metrics_port: int | None,
        distribution_port: int | None,
        tracing_port: int | None,
        event_port: int | None = None,
        timeout: float | None = None,
        enable_internal_metrics: bool = True,
    ) -> None:
        warnings.warn(
            "WavefrontProxyClient is deprecated; use WavefrontClientFactory().add_client("
            "'proxy://HOST:PORT')",
            DeprecationWarning,
            stacklevel=2,
        )
        self.default_source = default_source()
        self._log = RateLimitedLog(log)
        self._is_closed = False
        self._feeders = Feeders()
        self._internal: _InternalSender | None = None
        self._registry: WavefrontSdkMetricsRegistry | None = None
        if enable_internal_metrics and metrics_port is not None:
            self._internal = _InternalSender(
                ProxyConnectionHandler(host, metrics_port, None, timeout=timeout)
            )
            self._registry = WavefrontSdkMetricsRegistry(
                self._internal,
                self.default_source,
                {"version": f"v{__version__}", "authType": "proxy"},
                _INTERNAL_PREFIX,
            )
        ports = (metrics_port, distribution_port, tracing_port, tracing_port, event_port)
        self._handlers = {
            kind: ProxyConnectionHandler(host, port, self._registry, kind, timeout)
            for kind, port in zip(_PORT_NAMES, ports, strict=True)
            if port is not None
        }

    def __repr__(self) -> str:
        return f"WavefrontProxyClient({self._handlers!r})"

    def send_metric(
        self,
        name: str,
        value: float,
        timestamp: int | None,
        source: str | None,
        tags: Mapping[str, str] | None,
    ) -> None:
        """Send a point.

        Raises:
            ValueError: See `metric_to_line_data`.
            ConfigError: The client was made without a port for this kind of data.
        """
        with self._counting_invalid("points"):
            line = metric_to_line_data(name, value, timestamp, source, tags, self.default_source)
        self._send("points", line)

    def send_delta_counter(
        self,
        name: str,
        value: float,
        source: str | None,
        tags: Mapping[str, str] | None,
        timestamp: int | None = None,
    ) -> None:
        """Send the change of a counter; one of 0 or below is ignored. Raises as `send_metric`."""
        with self._counting_invalid("points"):
            if is_blank(name):
                raise ValueError(f"delta counter name is {name!r}; it must not be blank")
        if is_change(value):
            self.send_metric(get_delta_name("", name), value, timestamp, source, tags)

    def send_distribution(
        self,
        name: str,
        centroids: Sequence[tuple[float, int]],
        histogram_granularities: Iterable[str],
        timestamp: int | None,
        source: str | None,
        tags: Mapping[str, str] | None,
    ) -> None:
        """Send a distribution of (mean, count) pairs. Raises as `send_metric`."""
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
        self._send("histograms", line)

    def send_span(
        self,
        name: str,
        start_millis: int,
        duration_millis: int,
        source: str | None,
        trace_id: UUID,
        span_id: UUID,
        parents: Iterable[UUID] | None,
        follows_from: Iterable[UUID] | None,
        tags: Iterable[tuple[str, str]] | None,
        span_logs: Sequence[SpanLog] | None,
    ) -> None:
        """Send a span and its logs. Raises as `send_metric`."""
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
            logs = span_log_to_line_data(trace_id, span_id, span_logs, line) if span_logs else ""
        self._send("spans", line)
        if logs:
            self._send("span_logs", logs)

    def send_event(
        self,
        name: str,
        start_time: int,
        end_time: int | None,
        source: str | None,
        tags: Iterable[str] | None,
        annotations: Mapping[str, str] | None,
    ) -> None:
        """Send an event. Raises as `send_metric`."""
        with self._counting_invalid("events"):
            line = event_to_line_data(
                name, start_time, end_time, source, tags, annotations, self.default_source
            )
        self._send("events", line)

    def send_formatted_metric(self, line: str) -> None:
        """Send a ready metric line. Raises as `send_metric`."""
        with self._counting_invalid("points"):
            if is_blank(line) or "\n" in line.strip():
                raise ValueError(f"metric line is {line[:100]!r}; give one line")
        self._send("points", line.strip() + "\n")

    def send_metric_now(self, metrics: Sequence[str]) -> None:
        """Send ready metric lines.

        Raises:
            SendError: They could not be sent.
            ConfigError: The client was made without a port for this kind of data.
        """
        self._send_now("points", metrics)

    def send_distribution_now(self, distributions: Sequence[str]) -> None:
        """Send ready histogram lines. Raises as `send_metric_now`."""
        self._send_now("histograms", distributions)

    def send_span_now(self, spans: Sequence[str]) -> None:
        """Send ready span lines. Raises as `send_metric_now`."""
        self._send_now("spans", spans)

    def send_span_log_now(self, span_logs: Sequence[str]) -> None:
        """Send ready span log lines. Raises as `send_metric_now`."""
        self._send_now("span_logs", span_logs)

    def send_event_now(self, events: Sequence[str]) -> None:
        """Send ready event lines. Raises as `send_metric_now`."""
        self._send_now("events", events)

    def flush_now(self) -> None:
        """Do nothing: a line is sent when it is given."""

    def get_failure_count(self) -> int:
        """Return how many sends failed, over all kinds."""
        return sum(handler.get_failure_count() for handler in self._handlers.values())

    def feed_from(self, feeder: Feeder) -> None:
        """Have a feeder hand over what it keeps before the client closes."""
        self._feeders.add(feeder)

    def close(self, timeout_s: float | None = None) -> None:
        """Close the connections; what is sent afterwards is dropped. A second call does nothing."""
        if not self._is_closed:
            self._feeders.hand_over()
        self._is_closed = True
        if self._registry is not None:
            self._registry.close(timeout_s)
        for handler in self._handlers.values():
            handler.close()
        if self._internal is not None:
            self._internal.close()

    @contextmanager
    def _counting_invalid(self, kind: str) -> Iterator[None]:
        try:
            yield
        except ValueError:
            self._count(kind, "invalid")
            raise

    def _send(self, kind: str, line: str) -> None:
        """Send, or count and log what keeps it from being sent."""
        self._count(kind, "valid")
        try:
            self._deliver(kind, line)
        except SendError as error:
            # An application must not fail because its proxy is away.
            self._log.warning(kind, "wavefront: %s were dropped: %s", kind, error)

    def _send_now(self, kind: str, lines: Sequence[str]) -> None:
        given = [lines] if isinstance(lines, str) else lines
        text = "".join(line.strip("\n") + "\n" for line in given if not is_blank(line))
        if text:
            self._deliver(kind, text)

    def _deliver(self, kind: str, text: str) -> None:
        handler = self._handlers.get(kind)
        if handler is None:
            raise ConfigError(
                f"{kind} need a port: this WavefrontProxyClient was made with "
                f"{_PORT_NAMES[kind]}=None; give the proxy's port for them"
            )
        try:
            if self._is_closed:
                raise SendError("the client is closed")
            handler.send_data(text)
        except SendError:
            self._count(kind, "dropped")
            raise

    def _count(self, kind: str, what: str) -> None:
        if self._registry is not None:
            self._registry.new_delta_counter(f"{kind}.{what}").inc()


class _InternalSender:
    """Sends the client's metrics about itself, past its counters: they must not feed themselves."""

    def __init__(self, handler: ProxyConnectionHandler) -> None:
        self._handler = handler

    def send_metric(
        self,
        name: str,
        value: float,
        timestamp: int | None,
        source: str | None,
        tags: Mapping[str, str] | None,
    ) -> None:
        """Send a point; raises SendError."""
        self._handler.send_data(metric_to_line_data(name, value, timestamp, source, tags, ""))

    def send_delta_counter(
        self, name: str, value: float, source: str | None, tags: Mapping[str, str] | None
    ) -> None:
        """Send a change; raises SendError."""
        self.send_metric(name, value, None, source, tags)

    def close(self) -> None:
        """Close the connection."""
        self._handler.close()
