"""`wavefront_opentracing_sdk.propagation.propagator`."""

from wf_instrument.tracing import Propagator

__all__ = ["Propagator"]
