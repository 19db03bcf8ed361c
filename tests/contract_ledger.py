"""A reporter that tells what was recorded since it was last asked.

Threads: the pipeline's thread, or that of a flush, reports; the test takes. `_changed` guards
    what was not taken yet.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import wf_instrument
from wf_instrument.reporting.merge import merge_snapshots

if TYPE_CHECKING:
    from collections.abc import Callable

    from wf_instrument.reporting.snapshot import RequestInterval, Snapshot

__all__ = ["Ledger"]


class Ledger:
    """Pass it as the setting `reporter`; one for all the tests of a running server."""

    default_interval_s = 0.05

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._snapshot: Snapshot | None = None

    def report(self, snapshot: Snapshot) -> int:
        """Add the snapshot to what was not taken yet."""
        with self._changed:
            known = self._snapshot
            self._snapshot = snapshot if known is None else merge_snapshots(known, snapshot)
            self._changed.notify_all()
        return (
            len(snapshot.requests)
            + len(snapshot.points)
            + len(snapshot.distributions)
            + len(snapshot.spans)
        )

    def flush(self, timeout_s: float) -> bool:
        """Return True: nothing is under way."""
        return True

    def close(self, timeout_s: float) -> None:
        """Do nothing."""

    def settle(self, count: int, timeout_s: float = 10.0, *, spans: int = 0) -> Snapshot:
        """Return, and forget, what was recorded once `count` requests ended and none is served.

        What there is after `timeout_s` otherwise. A request's span may come a moment after its
        row: who looks at spans tells how many there should be.
        """

        def is_settled(snapshot: Snapshot) -> bool:
            ended = sum(row.count for row in snapshot.requests)
            is_idle = not any(number for _, number in snapshot.total_in_flight)
            return ended >= count and is_idle and len(snapshot.spans) >= spans

        return self.settle_when(is_settled, timeout_s)

    def settle_when(
        self, condition: Callable[[Snapshot], bool], timeout_s: float = 10.0
    ) -> Snapshot:
        """Return, and forget, what was recorded once `condition` holds, or after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            wf_instrument.flush(5)
            with self._changed:
                now = self._snapshot
                is_late = time.monotonic() > deadline
                if now is not None and (is_late or condition(now)):
                    self._snapshot = None
                    return now
                assert not is_late, "nothing was recorded"
                self._changed.wait(0.005)

    def take_rows(self, count: int = 1, timeout_s: float = 10.0) -> list[RequestInterval]:
        """Return, and forget, the rows once `count` requests ended and none is being served."""
        snapshot = self.settle(count, timeout_s)
        assert all(number == 0 for _, number in snapshot.total_in_flight), snapshot.running
        assert all(row.count == 0 for row in snapshot.in_flight)
        return [row for row in snapshot.requests if row.count]
