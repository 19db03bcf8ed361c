"""Which figure of a snapshot's row a series of the Wavefront convention shows, in its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wf_instrument.metrics.conventions.hierarchical import Figure
    from wf_instrument.metrics.histogram import ExponentialHistogram
    from wf_instrument.reporting.snapshot import RequestInterval, WebSocketInterval

__all__ = ["FACTORS", "amounts_of", "distribution"]

#: The unit a histogram is sent in, as a factor to seconds or bytes.
FACTORS: Final[dict[Figure, float]] = {
    "latency_ms": 1e3,
    "ttfb_ms": 1e3,
    "queued_ms": 1e3,
    "background_ms": 1e3,
    "blocked_ms": 1e3,
    "duration_ms": 1e3,
    "cpu_ns": 1e9,
    "request_bytes": 1.0,
    "response_bytes": 1.0,
}
#: Where a row keeps them.
_FIELDS: Final[dict[Figure, str]] = {
    "latency_ms": "latency",
    "ttfb_ms": "ttfb",
    "queued_ms": "queued",
    "background_ms": "background",
    "blocked_ms": "blocked",
    "duration_ms": "duration",
    "cpu_ns": "cpu",
    "request_bytes": "request_bytes",
    "response_bytes": "response_bytes",
}


def amounts_of(row: RequestInterval) -> dict[Figure, float]:
    """Return what each counter grew by."""
    return {
        "count": row.count,
        "errors": row.count if row.key.is_error else 0,
        "total_ms": row.latency.sum * 1e3,
    }


def distribution(
    row: RequestInterval | WebSocketInterval, figure: Figure
) -> ExponentialHistogram | None:
    """Return the values of a histogram, in seconds or bytes; None when there are none."""
    values: ExponentialHistogram | None = getattr(row, _FIELDS[figure])
    return values if values is not None and values.count else None
