"""Span lines and span logs. No I/O, no clock, no thread.

Source:
    Wavefront data format, "Trace data format".
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.wavefront.lines import whole
from wf_instrument.backends.wavefront.text import to_text
from wf_instrument.backends.wavefront.texts import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wf_instrument.backends.wavefront.texts import Texts
    from wf_instrument.tracing.span_data import SpanLog

__all__ = ["SPAN_LOG_KEY", "span_log_to_line_data", "tracing_span_to_line_data"]

#: Tag of a span that has logs. Source: Wavefront SDK, `SPAN_LOG_KEY`.
SPAN_LOG_KEY: Final = "_spanLogs"


def tracing_span_to_line_data(
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
    default_source: str = "",
    texts: Texts = PLAIN,
) -> str:
    """Return the line of one span, its newline included; `tags` is not changed.

    Raises:
        ValueError: Name, a tag's key or its value is blank or beyond a strict limit, or an id is
            no UUID.
    """
    parts = [texts.span_name(name), f"source={texts.source(source, default_source)}"]
    parts += [f"traceId={_id(trace_id)}", f"spanId={_id(span_id)}"]
    parts += [f"parent={_id(parent)}" for parent in parents or ()]
    parts += [f"followsFrom={_id(other)}" for other in follows_from or ()]
    pairs = [
        (key if key is None else to_text(key), value if value is None else to_text(value))
        for key, value in tags or ()
    ]
    if span_logs:
        pairs.append((SPAN_LOG_KEY, "true"))
    # A pair that stands twice is written once, where it stood first.
    parts += texts.span_tags(name, list(dict.fromkeys(pairs)), wanted=1 if span_logs else 0)
    start, duration = whole(name, start_millis), whole(name, duration_millis)
    return f"{' '.join(parts)} {start} {duration}\n"


def span_log_to_line_data(
    trace_id: uuid.UUID,
    span_id: uuid.UUID,
    span_logs: Iterable[SpanLog],
    span: str | None = None,
    scrambler: str | None = None,
) -> str:
    """Return the line of a span's logs: one JSON object.

    Args:
        trace_id: The span's trace.
        span_id: The span.
        span_logs: The logs; times in microseconds.
        span: The span's own line, which tells the receiver whether it was sampled.
        scrambler: Spreads the logs of a trace over receivers.
    """
    data: dict[str, object] = {
        "traceId": _id(trace_id),
        "spanId": _id(span_id),
        "logs": [_log_to_json(log.timestamp_us, dict(log.fields)) for log in span_logs],
    }
    if span:
        data["span"] = span
    if scrambler:
        data["_scrambler"] = scrambler
    # ASCII only, so that no character of a field can end the line.
    return json.dumps(data, default=str) + "\n"


def _log_to_json(timestamp_us: int, fields: Mapping[str, str]) -> dict[str, object]:
    return {"timestamp": timestamp_us, "fields": dict(fields)}


def _id(value: uuid.UUID) -> str:
    # A text in place of a UUID could hold anything, the end of the line included.
    return str(value if isinstance(value, uuid.UUID) else uuid.UUID(str(value)))
