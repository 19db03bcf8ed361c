"""A reporter of pyformance registries to Librato.

Threads: pyformance's loop thread, if `start` is called; otherwise the caller's.
Locks: `_reporting` makes reports follow one another.
Fork: the child has no loop, as pyformance's; what was queued the parent sends.
Loss: what a full queue refuses is counted in `refused`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from wf_instrument.backends.librato.measurement_sender import DEFAULT_ENDPOINT, MeasurementSender
from wf_instrument.backends.librato.measurement_table import MeasurementTable
from wf_instrument.backends.librato.snapshot_figures import add_snapshot
from wf_instrument.forking import reset_after_fork
from wf_instrument.guard import guard
from wf_instrument.identity import ApplicationTags, Identity
from wf_instrument.metrics.pyformance_shim import MetricsRegistry, global_registry
from wf_instrument.reporting.registry_loop import LoopingReporter
from wf_instrument.reporting.registry_producer import RegistryProducer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LibratoReporter"]

_CLOSE_TIMEOUT_S: Final = 5.0
#: What a snapshot wants to know; of no use here.
_NOBODY: Final = Identity(ApplicationTags("none", "none"), "none")


class LibratoReporter(LoopingReporter):
    """Reports a registry as tagged measurements, one a value and period.

    Args:
        user: The user's e-mail address.
        token: The token.
        registry: What is reported; pyformance's global registry when None.
        reporting_interval: Seconds between two reports of `start`; times stand at its multiples.
        clock: Has `time()`; the module `time` when None.
        prefix: Put in front of every name.
        tags: Of everything; a metric's own win.
        endpoint: URL of the API, its path included.
        options: Of `MeasurementSender`.

    Attributes:
        sender: Queues and delivers.
        refused: How many measurements a full queue refused.

    Raises:
        ConfigError: An argument cannot be used.
    """

    caught_as = "librato.pyformance"

    def __init__(
        self,
        user: str,
        token: str,
        registry: MetricsRegistry | None = None,
        reporting_interval: float = 60,
        clock: Any = None,
        prefix: str = "",
        tags: Mapping[str, str] | None = None,
        endpoint: str = DEFAULT_ENDPOINT,
        **options: Any,
    ) -> None:
        super().__init__(
            global_registry() if registry is None else registry, reporting_interval, clock
        )
        self.refused = 0
        self.sender = MeasurementSender(user, token, endpoint, **options)
        self._tags = tuple((name, str(value)) for name, value in (tags or {}).items() if value)
        self._producer = RegistryProducer(self.registry, prefix)
        self._last_s = 0
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._reporting = threading.Lock()

    def report_now(
        self, registry: MetricsRegistry | None = None, timestamp: float | None = None
    ) -> None:
        """Queue the values of a registry."""
        self._report(registry or self.registry, timestamp, current_minute=False)

    def stop(self) -> None:
        """Report once more, the current minute included, then deliver what is queued."""
        if not self._stopped.is_set():
            super().stop()
            with guard(self.caught_as):
                self._report(self.registry, None, current_minute=True)
        self.sender.close(_CLOSE_TIMEOUT_S)

    def _report(
        self, registry: MetricsRegistry, timestamp: float | None, *, current_minute: bool
    ) -> None:
        period_s = max(1, round(self.reporting_interval))
        at_s = int(self.clock.time() if timestamp is None else timestamp)
        with self._reporting:
            draft = self._producer.draft_of(registry, current_minute=current_minute)
            table = MeasurementTable(self._tags)
            add_snapshot(table, draft.freeze(_NOBODY, 0, 0))
            if timestamp is None:
                # The service keeps one measurement of a series and a second.
                at_s = max(at_s - at_s % period_s, self._last_s + 1)
                self._last_s = at_s
            texts = table.texts(at_s, period_s)
            self.refused += sum(not self.sender.put(text) for text in texts)
