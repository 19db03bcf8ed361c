"""`apptuit.pyformance`."""

from wf_instrument.compat.apptuit.pyformance import apptuit_reporter, process_metrics
from wf_instrument.compat.apptuit.pyformance.apptuit_reporter import ApptuitReporter
from wf_instrument.compat.apptuit.pyformance.process_metrics import ProcessMetrics

__all__ = ["ApptuitReporter", "ProcessMetrics", "apptuit_reporter", "process_metrics"]
