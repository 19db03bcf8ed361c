"""`wavefront_opentracing_sdk`."""

from wf_instrument.tracing import WavefrontSpan, WavefrontSpanContext, WavefrontTracer

__all__ = ["WavefrontSpan", "WavefrontSpanContext", "WavefrontTracer"]
