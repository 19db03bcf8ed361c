"""`wavefront_opentracing_sdk.propagation.http`."""

from wf_instrument.tracing import WavefrontPropagator as HTTPPropagator

__all__ = ["HTTPPropagator"]
