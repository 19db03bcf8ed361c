"""`wavefront_opentracing_sdk.span`."""

from wf_instrument.tracing import WavefrontSpan

__all__ = ["WavefrontSpan"]
