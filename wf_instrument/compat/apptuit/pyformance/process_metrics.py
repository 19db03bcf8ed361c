"""`apptuit.pyformance.process_metrics`."""

from wf_instrument.backends.apptuit.process_metrics import RESOURCE_STRUCT_RUSAGE, ProcessMetrics

__all__ = ["RESOURCE_STRUCT_RUSAGE", "ProcessMetrics"]
