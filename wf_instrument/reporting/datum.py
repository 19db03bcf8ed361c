"""Single data as they were recorded elsewhere: with a time and a source of their own.

A reporter may take them one by one (`DatumReporter`); for one that does not, `DatumSnapshots` makes
snapshots of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from uuid import UUID

    from wf_instrument.reporting.snapshot import Tags

__all__ = [
    "Datum",
    "DatumReporter",
    "EventDatum",
    "HistogramDatum",
    "MetricDatum",
    "SpanDatum",
    "SpanLogDatum",
]


@dataclass(frozen=True, slots=True)
class MetricDatum:
    """A point, or the change of a delta counter, whose name begins with a delta."""

    name: str
    value: float
    timestamp_s: int | None
    source: str | None
    tags: Tags


@dataclass(frozen=True, slots=True)
class HistogramDatum:
    """A distribution as (mean, count) pairs."""

    granularity: str
    timestamp_s: int | None
    centroids: tuple[tuple[float, int], ...]
    name: str
    source: str | None
    tags: Tags


@dataclass(frozen=True, slots=True)
class SpanDatum:
    """A span; times in milliseconds."""

    name: str
    source: str | None
    trace_id: UUID
    span_id: UUID
    parents: tuple[UUID, ...]
    follows_from: tuple[UUID, ...]
    tags: Tags
    start_ms: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class SpanLogDatum:
    """The logs of a span: (time in microseconds, fields)."""

    trace_id: UUID
    span_id: UUID
    logs: tuple[tuple[int, Tags], ...]


@dataclass(frozen=True, slots=True)
class EventDatum:
    """Something that happened; times in milliseconds."""

    name: str
    start_ms: int
    end_ms: int
    source: str | None
    tags: tuple[str, ...]
    annotations: Tags


Datum = MetricDatum | HistogramDatum | SpanDatum | SpanLogDatum | EventDatum


@runtime_checkable
class DatumReporter(Protocol):
    """A reporter that takes single data too. All methods are thread-safe."""

    @property
    def lost(self) -> int:
        """How many data were taken and then lost, or refused by the receiver."""

    def wait_when_full(self, timeout_s: float) -> None:
        """Have `put` wait so long for room in a full queue."""

    def put(self, datum: Datum) -> None:
        """Queue one datum.

        Raises:
            ValueError: The destination cannot take it; the message says why.
            QueueFullError: It can, but not now, nor within the time it was told to wait.
        """
