"""`librato.metrics`."""

from wf_instrument.backends.librato.metrics import Counter, Gauge, Metric

__all__ = ["Counter", "Gauge", "Metric"]
