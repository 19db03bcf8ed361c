"""All kinds of one sender, and what its threads tell one another.

Threads: any. Locks: `lock`, also that of `state`, guards everything here. It is reentrant, since a
    finalizer that runs while it is held may put.
Fork: made anew in the child.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wf_instrument.sender.lane import Lane

__all__ = ["Lanes"]


class Lanes:
    """Lanes by kind.

    Attributes:
        state: Notified whenever something changed that a thread may wait for.
        is_shut: Nothing is taken any more.
        is_closed: Nothing is delivered any more either, and the threads end.
        is_flush_wanted: The worker is asked not to wait for its interval.
        flushing: How many calls wait for a flush just now.
        is_roused: The worker was woken since it began to wait.
        is_spooler_roused: So was the spooler.
    """

    def __init__(self, lanes: Mapping[str, Lane]) -> None:
        self.lock = threading.RLock()
        self.state = threading.Condition(self.lock)
        self.by_kind = dict(lanes)
        self.is_shut = False
        self.is_closed = False
        self.is_flush_wanted = False
        self.flushing = 0
        self.is_roused = False
        self.is_spooler_roused = False

    def __iter__(self) -> Iterator[Lane]:
        return iter(self.by_kind.values())

    def look_into_spools(self) -> bool:
        """Look whether anything waits in the spools; the lock is not held for it."""
        found = [
            (lane, lane.spool_writes, not lane.spool.is_empty)
            for lane in self
            if lane.spool is not None
        ]
        with self.lock:
            for lane, writes, has_spooled in found:
                # What was written during the look may not have been seen.
                lane.has_spooled = has_spooled or lane.spool_writes != writes
        return any(has_spooled for _, _, has_spooled in found)

    def unsettled(self, goals: Mapping[str, int]) -> list[Lane]:
        """Return the lanes that have not settled so many data, or have some in the spool.

        Caller holds `lock`.
        """
        return [
            lane
            for lane in self
            if lane.has_spooled or lane.buffer.settled < goals.get(lane.kind, 0)
        ]

    def is_flushed(self, goals: Mapping[str, int], limits: Mapping[str, int]) -> bool:
        """Return whether all has left, or trying again would not help. Caller holds `lock`.

        Args:
            goals: How many data have to be settled, by kind.
            limits: After how many failures in a row trying would not help, by kind.
        """
        return self.is_closed or all(
            lane.failures >= limits[lane.kind] for lane in self.unsettled(goals)
        )
