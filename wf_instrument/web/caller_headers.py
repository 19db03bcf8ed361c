"""Response headers that tell the caller of its request: durations, and the span that served it."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wf_instrument.tracing.span import WavefrontSpan
    from wf_instrument.web.request import RequestRecord

__all__ = ["SERVER_TIMING", "TRACE_RESPONSE", "server_timing", "trace_response"]

#: Source: W3C Server Timing, "The Server-Timing Header Field".
SERVER_TIMING: Final = "Server-Timing"
#: Source: W3C Trace Context Level 2 (draft), "traceresponse Header".
TRACE_RESPONSE: Final = "traceresponse"

_SPAN_MASK: Final = (1 << 64) - 1


def server_timing(record: RequestRecord) -> str:
    """Return the time until now in the application, and in front of it where a proxy told."""
    first_byte_ns = record.first_byte_ns or perf_counter_ns()
    text = f"app;dur={(first_byte_ns - record.started_mono_ns) / 1e6:.1f}"
    if record.queued_ns >= 0:
        text += f", queue;dur={record.queued_ns / 1e6:.1f}"
    return text


def trace_response(span: WavefrontSpan) -> str:
    """Return the ids of the server span; an undecided trace counts as sampled."""
    flags = "00" if span.decision is False else "01"
    return f"00-{span.trace_id_int:032x}-{span.span_id_int & _SPAN_MASK:016x}-{flags}"
