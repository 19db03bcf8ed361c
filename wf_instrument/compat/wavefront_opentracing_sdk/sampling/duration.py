"""`wavefront_opentracing_sdk.sampling.duration`."""

from wf_instrument.tracing import DurationSampler

__all__ = ["DurationSampler"]
