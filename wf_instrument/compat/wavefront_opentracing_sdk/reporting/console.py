"""`wavefront_opentracing_sdk.reporting.console`."""

from wf_instrument.tracing import ConsoleReporter

__all__ = ["ConsoleReporter"]
