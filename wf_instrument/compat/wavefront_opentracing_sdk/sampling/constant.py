"""`wavefront_opentracing_sdk.sampling.constant`."""

from wf_instrument.tracing import ConstantSampler

__all__ = ["ConstantSampler"]
