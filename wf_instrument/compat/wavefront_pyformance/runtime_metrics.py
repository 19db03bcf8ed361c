"""`wavefront_pyformance.runtime_metrics`."""

from wf_instrument.metrics.runtime import RuntimeCollector

__all__ = ["RuntimeCollector"]
