"""Finished spans as plain immutable data: what tracers hand over and backends format."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SpanData", "SpanLog", "SpanReference"]

#: Trace id (128 bits) and span id (64 bits) of another span, as integers.
SpanReference = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SpanLog:
    """Something that happened within a span; `timestamp_us` is Unix time in microseconds."""

    timestamp_us: int
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanData:
    """One finished, sampled span.

    Attributes:
        name: The operation.
        trace_id: 128 bits.
        span_id: 64 bits; as a UUID it is the low half, the high half zero.
        start_ns: Unix time, nanoseconds.
        duration_ns: From a monotonic clock.
        tags: All tags in order, application tags included; a key may stand several times.
        parents: References `child_of`.
        follows_from: References `follows_from`.
        is_error: Whether the span is tagged as failed.
    """

    name: str
    trace_id: int
    span_id: int
    start_ns: int
    duration_ns: int
    tags: tuple[tuple[str, str], ...] = ()
    parents: tuple[SpanReference, ...] = ()
    follows_from: tuple[SpanReference, ...] = ()
    logs: tuple[SpanLog, ...] = ()
    is_error: bool = False
