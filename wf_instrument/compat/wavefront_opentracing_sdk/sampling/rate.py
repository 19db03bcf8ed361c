"""`wavefront_opentracing_sdk.sampling.rate`."""

from wf_instrument.tracing import RateSampler

__all__ = ["RateSampler"]
