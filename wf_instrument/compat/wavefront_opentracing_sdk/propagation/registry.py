"""`wavefront_opentracing_sdk.propagation.registry`."""

from wf_instrument.tracing import PropagatorRegistry

__all__ = ["PropagatorRegistry"]
