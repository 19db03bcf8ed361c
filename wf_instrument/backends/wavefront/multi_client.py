"""One client that sends to several.

Threads: any; each client does its own locking. The list of clients is set up before use.
Loss: each client counts its own; one that refuses a datum does not keep it from the others.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.wavefront.client import CLOSE_TIMEOUT_S
from wf_instrument.backends.wavefront.feeders import Feeders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from uuid import UUID

    from typing_extensions import Self

    from wf_instrument.backends.wavefront.client import WavefrontClient
    from wf_instrument.backends.wavefront.feeders import Feeder
    from wf_instrument.backends.wavefront.proxy_client import WavefrontProxyClient
    from wf_instrument.tracing.span_data import SpanLog

__all__ = ["WavefrontMultiClient"]


class WavefrontMultiClient:
    """Passes every call on to all its clients.

    A call that fails for one client is still made for the others; then the first error is raised.
    """

    def __init__(self) -> None:
        self._clients: Final[list[WavefrontClient | WavefrontProxyClient]] = []
        self._feeders = Feeders()

    def with_wavefront_sender(self, client: WavefrontClient | WavefrontProxyClient) -> Self:
        """Add a client; returns the multi client."""
        self._clients.append(client)
        return self

    def send_metric(
        self,
        name: str,
        value: float,
        timestamp: int | None,
        source: str | None,
        tags: Mapping[str, str] | None,
    ) -> None:
        """See `WavefrontClient.send_metric`, as for all that follow."""
        self._each(lambda client: client.send_metric(name, value, timestamp, source, tags))

    def send_delta_counter(
        self,
        name: str,
        value: float,
        source: str | None,
        tags: Mapping[str, str] | None,
        timestamp: int | None = None,
    ) -> None:
        """Queue the change of a counter."""
        self._each(lambda client: client.send_delta_counter(name, value, source, tags, timestamp))

    def send_distribution(
        self,
        name: str,
        centroids: Sequence[tuple[float, int]],
        histogram_granularities: Iterable[str],
        timestamp: int | None,
        source: str | None,
        tags: Mapping[str, str] | None,
    ) -> None:
        """Queue a distribution."""
        kinds = list(histogram_granularities)  # several clients read it
        self._each(
            lambda client: client.send_distribution(name, centroids, kinds, timestamp, source, tags)
        )

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
        """Queue a span and its logs."""
        references = list(parents or ()), list(follows_from or ())
        pairs = list(tags or ())
        self._each(
            lambda client: client.send_span(
                name,
                start_millis,
                duration_millis,
                source,
                trace_id,
                span_id,
                *references,
                pairs,
                span_logs,
            )
        )

    def send_event(
        self,
        name: str,
        start_time: int,
        end_time: int | None,
        source: str | None,
        tags: Iterable[str] | None,
        annotations: Mapping[str, str] | None,
    ) -> None:
        """Queue an event."""
        words = [tags] if isinstance(tags, str) else list(tags or ())
        self._each(
            lambda client: client.send_event(name, start_time, end_time, source, words, annotations)
        )

    def send_formatted_metric(self, line: str) -> None:
        """Queue a ready metric line."""
        self._each(lambda client: client.send_formatted_metric(line))

    def send_metric_now(self, metrics: Sequence[str]) -> None:
        """Send ready metric lines at once."""
        self._each(lambda client: client.send_metric_now(metrics))

    def send_distribution_now(self, distributions: Sequence[str]) -> None:
        """Send ready histogram lines at once."""
        self._each(lambda client: client.send_distribution_now(distributions))

    def send_span_now(self, spans: Sequence[str]) -> None:
        """Send ready span lines at once."""
        self._each(lambda client: client.send_span_now(spans))

    def send_span_log_now(self, span_logs: Sequence[str]) -> None:
        """Send ready span log lines at once."""
        self._each(lambda client: client.send_span_log_now(span_logs))

    def send_event_now(self, events: Sequence[str]) -> None:
        """Send ready events at once."""
        self._each(lambda client: client.send_event_now(events))

    def flush_now(self) -> None:
        """Deliver what waits, client by client."""
        self._each(lambda client: client.flush_now())

    def get_failure_count(self) -> int:
        """Return how many deliveries failed, over all clients."""
        return sum(client.get_failure_count() for client in self._clients)

    def feed_from(self, feeder: Feeder) -> None:
        """Have a feeder hand over what it keeps before the clients are closed here."""
        self._feeders.add(feeder)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Deliver what waits within `timeout_s` over all clients, and stop them."""
        deadline = time.monotonic() + timeout_s
        self._feeders.hand_over()
        self._each(lambda client: client.close(max(0.0, deadline - time.monotonic())))

    def _each(self, call: Callable[[WavefrontClient | WavefrontProxyClient], None]) -> None:
        first: Exception | None = None
        for client in self._clients:
            try:
                call(client)
            except Exception as error:  # noqa: BLE001 - the others still get the datum
                first = first or error
        if first is not None:
            raise first
