"""`wavefront_opentracing_sdk.sampling`."""

from wf_instrument.tracing import (
    CompositeSampler,
    ConstantSampler,
    DurationSampler,
    RateSampler,
    Sampler,
)

__all__ = ["CompositeSampler", "ConstantSampler", "DurationSampler", "RateSampler", "Sampler"]
