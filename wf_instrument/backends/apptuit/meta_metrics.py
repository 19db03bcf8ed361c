"""What a reporter tells of its own sending.

Source:
    Apptuit's client for Python, README, "Meta Metrics".

Threads: one at a time, that of a report.
"""

from __future__ import annotations

from typing import Any, Final

from wf_instrument.metrics.pyformance_shim import MetricsRegistry

__all__ = [
    "API_CALL_TIMER",
    "NUMBER_OF_FAILED_POINTS",
    "NUMBER_OF_SUCCESSFUL_POINTS",
    "NUMBER_OF_TOTAL_POINTS",
    "MetaMetrics",
]

NUMBER_OF_TOTAL_POINTS: Final = "apptuit.reporter.send.total"
NUMBER_OF_SUCCESSFUL_POINTS: Final = "apptuit.reporter.send.successful"
NUMBER_OF_FAILED_POINTS: Final = "apptuit.reporter.send.failed"
API_CALL_TIMER: Final = "apptuit.reporter.send.time"


class MetaMetrics:
    """Counts points, and times calls, in a registry of its own.

    Attributes:
        registry: The registry.
    """

    def __init__(self) -> None:
        self.registry = MetricsRegistry()
        self.count(0, 0)
        self._timer = self.registry.timer(API_CALL_TIMER)

    def count(self, successful: int, failed: int) -> None:
        """Count points; the total is the sum of both."""
        self.registry.counter(NUMBER_OF_TOTAL_POINTS).inc(successful + failed)
        self.registry.counter(NUMBER_OF_SUCCESSFUL_POINTS).inc(successful)
        self.registry.counter(NUMBER_OF_FAILED_POINTS).inc(failed)

    def timed(self) -> Any:
        """Return what times the call in its `with` block, whether it fails or not."""
        return self._timer.time()
