"""`wavefront_opentracing_sdk.reporting`."""

from wf_instrument.backends.wavefront.span_reporter import WavefrontSpanReporter
from wf_instrument.tracing import CompositeReporter, ConsoleReporter
from wf_instrument.tracing import SpanReporter as Reporter

__all__ = ["CompositeReporter", "ConsoleReporter", "Reporter", "WavefrontSpanReporter"]
