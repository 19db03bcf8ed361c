"""`wavefront_opentracing_sdk.reporting.reporter`."""

from wf_instrument.tracing import SpanReporter as Reporter

__all__ = ["Reporter"]
