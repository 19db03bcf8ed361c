"""`wavefront_opentracing_sdk.reporting.composite`."""

from wf_instrument.tracing import CompositeReporter

__all__ = ["CompositeReporter"]
