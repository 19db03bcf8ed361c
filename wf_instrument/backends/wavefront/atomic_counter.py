"""A number that threads count up.

Threads: any.
Locks: `_lock` guards the number.
Fork: the child carries on from the parent's number, with a new lock.
"""

from __future__ import annotations

import threading

from wf_instrument.forking import reset_after_fork

__all__ = ["AtomicCounter"]


class AtomicCounter:
    """Counts; nothing is lost between threads.

    Args:
        initial: Where to begin.
    """

    def __init__(self, initial: int = 0) -> None:
        self._value = initial
        self._reset()
        reset_after_fork(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()

    def increment(self, num: int = 1) -> int:
        """Count up and return the number afterwards."""
        with self._lock:
            self._value += num
            return self._value

    def get(self) -> int:
        """Return the number."""
        return self._value
