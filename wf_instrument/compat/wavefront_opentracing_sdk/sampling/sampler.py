"""`wavefront_opentracing_sdk.sampling.sampler`."""

from wf_instrument.tracing import Sampler

__all__ = ["Sampler"]
