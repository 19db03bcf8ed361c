"""Single data through a client, as they are: their own times, sources and ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wf_instrument.reporting.datum import (
    EventDatum,
    HistogramDatum,
    MetricDatum,
    SpanDatum,
)
from wf_instrument.tracing.span_data import SpanLog

if TYPE_CHECKING:
    from wf_instrument.backends.wavefront.client import WavefrontClient
    from wf_instrument.reporting.datum import Datum

__all__ = ["lost_data", "put_datum"]


def put_datum(client: WavefrontClient, datum: Datum) -> None:
    """Queue one datum.

    Raises:
        ValueError: It cannot be written as a line, or is beyond a strict limit.
        QueueFullError: The client's buffer is full.
    """
    if isinstance(datum, MetricDatum):
        client.send_metric(
            datum.name, datum.value, datum.timestamp_s, datum.source, dict(datum.tags)
        )
    elif isinstance(datum, HistogramDatum):
        client.send_distribution(
            datum.name,
            datum.centroids,
            (datum.granularity,),
            datum.timestamp_s,
            datum.source,
            dict(datum.tags),
        )
    elif isinstance(datum, SpanDatum):
        client.send_span(
            datum.name,
            datum.start_ms,
            datum.duration_ms,
            datum.source,
            datum.trace_id,
            datum.span_id,
            datum.parents,
            datum.follows_from,
            datum.tags,
            None,
        )
    elif isinstance(datum, EventDatum):
        client.send_event(
            datum.name,
            datum.start_ms,
            datum.end_ms,
            datum.source,
            datum.tags,
            dict(datum.annotations),
        )
    else:
        logs = [SpanLog(time_us, fields) for time_us, fields in datum.logs]
        client.send_span_logs(datum.trace_id, datum.span_id, logs)


def lost_data(client: WavefrontClient) -> int:
    """Return how many data were taken and then dropped, or called bad by the receiver."""
    counts = client.sender.counts.values()
    return sum(one.dropped - one.refused + one.rejected for one in counts)
