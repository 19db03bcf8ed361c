"""The Librato reporter of the pipeline: snapshots become tagged measurements, one a series.

Threads: the pipeline's thread, or that of a flush, one at a time under `_lock`.
Locks: `_lock` guards the time of the last period; the sender's queue has its own.
Fork: the child starts with a new lock.
Loss: a measurement that a full queue refuses is counted in `refused`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from wf_instrument.backends.librato.measurement_table import MeasurementTable
from wf_instrument.backends.librato.snapshot_figures import add_snapshot, identity_tags
from wf_instrument.forking import reset_after_fork

if TYPE_CHECKING:
    from wf_instrument.backends.librato.measurement_sender import MeasurementSender
    from wf_instrument.identity import Identity
    from wf_instrument.reporting.snapshot import Snapshot

__all__ = ["DEFAULT_PERIOD_S", "LibratoPipelineReporter"]

DEFAULT_PERIOD_S: Final = 60


class LibratoPipelineReporter:
    """Reports requests, WebSockets and registries; spans are taken and left out.

    Args:
        sender: Queues and delivers; closed with the reporter.
        identity: Whose tags everything carries.
        period_s: Seconds between two reports; measurements stand at multiples of it.

    Attributes:
        refused: How many measurements a full queue refused.
        skipped: How many values the service would not take.
    """

    def __init__(
        self, sender: MeasurementSender, identity: Identity, period_s: int = DEFAULT_PERIOD_S
    ) -> None:
        self.default_interval_s = float(period_s)
        self.refused = 0
        self.skipped = 0
        self._sender = sender
        sender.sender.leave_exit_to_owner()
        self._identity = identity
        self._period_s = period_s
        self._last_s = 0
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()

    @property
    def lost(self) -> int:
        """How many measurements were taken and then dropped, or called bad by the service."""
        return self._sender.lost

    def report(self, snapshot: Snapshot) -> int:
        """Queue what the snapshot holds; what a full queue refuses counts as not taken."""
        table = MeasurementTable(identity_tags(self._identity.in_slot_of(snapshot.identity)))
        add_snapshot(table, snapshot)
        refused = 0
        with self._lock:
            texts = table.texts(self._next_time(snapshot), self._period_s)
            first = next(texts, None)
            if first is not None:
                self._last_s = self._next_time(snapshot)
                refused = sum(not self._sender.put(text) for text in (first, *texts))
            self.refused += refused
            self.skipped += table.skipped
        return max(snapshot.data_count - refused, 0)

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was reported has left."""
        return self._sender.flush(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Flush, then release thread and connections."""
        self._sender.close(timeout_s)

    def _next_time(self, snapshot: Snapshot) -> int:
        """Return the period's beginning; a later second for the rest of one that was flushed.

        Caller holds `_lock`. The service keeps one measurement of a series and a second.
        """
        began_s = snapshot.started_ns // 1_000_000_000
        return max(began_s - began_s % self._period_s, self._last_s + 1)
