"""`wavefront_opentracing_sdk.span_context`."""

from wf_instrument.tracing import WavefrontSpanContext

__all__ = ["WavefrontSpanContext"]
