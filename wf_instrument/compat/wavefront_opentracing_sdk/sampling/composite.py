"""`wavefront_opentracing_sdk.sampling.composite`."""

from wf_instrument.tracing import CompositeSampler

__all__ = ["CompositeSampler"]
