"""OpenTelemetry's SDK as `request_overhead.py` runs it: everything on, nothing sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def providers() -> tuple[Any, Any, Callable[[], object]]:
    """Return a tracer provider, a meter provider, and what ends a round.

    Traces go through a batch processor and metrics through a periodic reader, to exporters that do
    nothing.
    """
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import (
        MetricExporter,
        MetricExportResult,
        PeriodicExportingMetricReader,
    )
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        SpanExporter,
        SpanExportResult,
    )

    class NoMetrics(MetricExporter):
        def export(self, *_: Any, **__: Any) -> MetricExportResult:
            return MetricExportResult.SUCCESS

        def shutdown(self, *_: Any, **__: Any) -> None:
            return None

        def force_flush(self, *_: Any, **__: Any) -> bool:
            return True

    class NoSpans(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(NoSpans()))
    meters = MeterProvider([PeriodicExportingMetricReader(NoMetrics())])
    return provider, meters, lambda: (provider.force_flush(), meters.force_flush())
