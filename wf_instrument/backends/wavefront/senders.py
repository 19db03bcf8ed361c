"""What can be sent to Wavefront, as abstract classes that `isinstance` asks for.

A program may implement one of them itself; the clients of this package answer to all four.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from wf_instrument.backends.wavefront.client import WavefrontClient
from wf_instrument.backends.wavefront.multi_client import WavefrontMultiClient
from wf_instrument.backends.wavefront.proxy_client import WavefrontProxyClient
from wf_instrument.metrics.delta_counter import get_delta_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from wf_instrument.tracing.span_data import SpanLog

__all__ = [
    "WavefrontEventSender",
    "WavefrontHistogramSender",
    "WavefrontMetricSender",
    "WavefrontTracingSpanSender",
]


class WavefrontMetricSender(ABC):
    """Sends points."""

    @abstractmethod
    def send_metric(
        self,
        name: str,
        value: float,
        timestamp: int | None,
        source: str | None,
        tags: Mapping[str, str] | None,
    ) -> None:
        """Send a point; the timestamp is Unix time in seconds."""

    def send_delta_counter(
        self,
        name: str,
        value: float,
        source: str | None,
        tags: Mapping[str, str] | None,
        timestamp: int | None = None,
    ) -> None:
        """Send the change of a counter: a point under the name led by ∆; 0 and below are not."""
        if value > 0:
            self.send_metric(get_delta_name("", name), value, timestamp, source, tags)


class WavefrontHistogramSender(ABC):
    """Sends distributions."""

    @abstractmethod
    def send_distribution(
        self,
        name: str,
        centroids: Sequence[tuple[float, int]],
        histogram_granularities: Iterable[str],
        timestamp: int | None,
        source: str | None,
        tags: Mapping[str, str] | None,
    ) -> None:
        """Send a distribution of (mean, count) pairs."""


class WavefrontTracingSpanSender(ABC):
    """Sends spans."""

    @abstractmethod
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
        """Send a span and its logs."""


class WavefrontEventSender(ABC):
    """Sends events."""

    @abstractmethod
    def send_event(
        self,
        name: str,
        start_time: int,
        end_time: int | None,
        source: str | None,
        tags: Iterable[str] | None,
        annotations: Mapping[str, str] | None,
    ) -> None:
        """Send an event; times are Unix time in milliseconds."""


for _sender in (
    WavefrontMetricSender,
    WavefrontHistogramSender,
    WavefrontTracingSpanSender,
    WavefrontEventSender,
):
    for _client in (WavefrontClient, WavefrontMultiClient, WavefrontProxyClient):
        _sender.register(_client)
