"""Span reporters for looking, for tests, and for having several.

Threads: any; `InMemoryReporter` appends atomically, `ConsoleReporter` writes a line in one call.
"""

from __future__ import annotations

import itertools
import sys
import uuid
from collections import deque
from typing import TYPE_CHECKING, TextIO

from wf_instrument.guard import caught

if TYPE_CHECKING:
    from wf_instrument.identity import ApplicationTags
    from wf_instrument.tracing.red_metrics import RedMetrics
    from wf_instrument.tracing.span import WavefrontSpan
    from wf_instrument.tracing.span_data import SpanData
    from wf_instrument.tracing.tracer import SpanReporter, WavefrontTracer

__all__ = ["CompositeReporter", "ConsoleReporter", "InMemoryReporter"]


class CompositeReporter:
    """Hands each span to several reporters; one that raises does not keep it from the others."""

    def __init__(self, *reporters: SpanReporter) -> None:
        self._reporters = reporters

    def start_red_metrics(
        self, red_metrics: RedMetrics, application_tags: ApplicationTags, interval_s: float
    ) -> bool:
        """Have the first reporter that can send RED metrics; return whether there is one."""
        for reporter in self._reporters:
            start = getattr(reporter, "start_red_metrics", None)
            if start is not None and start(red_metrics, application_tags, interval_s):
                return True
        return False

    def report_discarded(self, tracer: WavefrontTracer) -> None:
        """Have every reporter that can tell how many spans a tracer discards."""
        for reporter in self._reporters:
            tell = getattr(reporter, "report_discarded", None)
            if tell is not None:
                tell(tracer)

    def get_reporters(self) -> list[SpanReporter]:
        """Return the reporters."""
        return list(self._reporters)

    def report(self, span: WavefrontSpan) -> None:
        """Hand a finished span to all."""
        for reporter in self._reporters:
            try:
                reporter.report(span)
            except Exception as error:  # noqa: BLE001 - a closed pipe is not the application's fault
                caught("tracing.reporter", error)

    def get_failure_count(self) -> int:
        """Return the failures of all reporters together."""
        # One of the application's own may not count, and return None.
        return sum(reporter.get_failure_count() or 0 for reporter in self._reporters)

    def close(self) -> None:
        """Close all."""
        for reporter in self._reporters:
            try:
                reporter.close()
            except Exception as error:  # noqa: BLE001 - a closed pipe is not the application's fault
                caught("tracing.reporter", error)


class ConsoleReporter:
    """Writes a line for each span.

    Args:
        source: Who reports, as it stands in the line.
        stream: Where to; standard output, as it is at the time, when None.
    """

    def __init__(self, source: str = "wavefront-tracing-example", stream: TextIO | None = None):
        self._source = source
        self._stream = stream
        self._failures = itertools.count(1)
        self._failed = 0

    def report(self, span: WavefrontSpan) -> None:
        """Write a finished span."""
        try:
            line = _line(span.to_span_data(), self._source)
            (self._stream or sys.stdout).write(line)
        except Exception as error:  # noqa: BLE001 - a closed pipe is not the application's fault
            self._failed = next(self._failures)
            caught("tracing.console", error)

    def get_failure_count(self) -> int:
        """Return how many spans could not be written."""
        return self._failed

    def close(self) -> None:
        """Leave the stream open; it belongs to whoever opened it."""


class InMemoryReporter:
    """Keeps the newest finished spans, for tests.

    Args:
        max_spans: How many; older ones make room.
    """

    def __init__(self, max_spans: int = 10_000) -> None:
        self._spans: deque[WavefrontSpan] = deque(maxlen=max_spans)

    @property
    def spans(self) -> list[WavefrontSpan]:
        """The spans, in the order they ended."""
        return list(self._spans)

    def report(self, span: WavefrontSpan) -> None:
        """Keep a finished span."""
        self._spans.append(span)

    def clear(self) -> None:
        """Forget all spans."""
        self._spans.clear()

    def get_failure_count(self) -> int:
        """Return 0."""
        return 0

    def close(self) -> None:
        """Do nothing; the spans stay readable."""


def _line(span: SpanData, source: str) -> str:
    """Return a line for people: name, source, ids, tags, start and duration in milliseconds."""
    parts = [
        _quoted(span.name),
        f"source={_quoted(source)}",
        f"traceId={uuid.UUID(int=span.trace_id)}",
        f"spanId={uuid.UUID(int=span.span_id)}",
        *(f"parent={uuid.UUID(int=span_id)}" for _, span_id in span.parents),
        *(f"followsFrom={uuid.UUID(int=span_id)}" for _, span_id in span.follows_from),
        *(f"{_quoted(key)}={_quoted(value)}" for key, value in span.tags),
        f"{span.start_ns // 1_000_000} {span.duration_ns // 1_000_000}",
    ]
    return " ".join(parts) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("\r", "\\r") + '"'
