"""The loop of reporters of pyformance registries: it outlives failures, and its thread has a name.

Threads: `wf-instrument-pyformance`, a daemon, from `start` to `stop`.
Fork: the child has no loop, as pyformance's.
Loss: none of its own; a report that fails is counted as caught.
"""

from __future__ import annotations

import threading
from typing import ClassVar

from wf_instrument.guard import caught
from wf_instrument.metrics.pyformance_shim import Reporter

__all__ = ["LoopingReporter"]


class LoopingReporter(Reporter):
    """Calls `report_now` every `reporting_interval` seconds, from the first interval's end on.

    Attributes:
        caught_as: Where a failure is counted.
    """

    caught_as: ClassVar[str]

    def create_thread(self) -> None:
        """Make the loop's thread, without the deprecated call pyformance makes."""
        self._loop_thread = threading.Thread(
            target=self._loop, name="wf-instrument-pyformance", daemon=True
        )

    def _loop(self) -> None:
        while not self._stopped.wait(self.reporting_interval):
            try:
                self.report_now()
            except Exception as error:  # noqa: BLE001 - the loop must outlive any failure
                caught(self.caught_as, error)
