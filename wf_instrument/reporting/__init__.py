"""From what was recorded to the reporters: snapshots, the pipeline and reporter URLs."""

from wf_instrument.reporting.pipeline import Pipeline
from wf_instrument.reporting.reporter import Producer, Reporter
from wf_instrument.reporting.reporter_url import ReporterUrl, known_schemes, make_reporter
from wf_instrument.reporting.snapshot import Snapshot

__all__ = [
    "Pipeline",
    "Producer",
    "Reporter",
    "ReporterUrl",
    "Snapshot",
    "known_schemes",
    "make_reporter",
]
