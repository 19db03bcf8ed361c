"""`wavefront_opentracing_sdk.propagation.textmap`."""

from wf_instrument.tracing import WavefrontPropagator as TextMapPropagator

__all__ = ["TextMapPropagator"]
