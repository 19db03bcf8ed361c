"""`wavefront_opentracing_sdk.reporting.wavefront`."""

from wf_instrument.backends.wavefront.span_reporter import WavefrontSpanReporter

__all__ = ["WavefrontSpanReporter"]
