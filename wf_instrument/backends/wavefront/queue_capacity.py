"""How much more a queue takes, as the supplier of a gauge."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SizedQueue", "remaining_capacity_getter"]


class SizedQueue(Protocol):
    """A `queue.Queue`, or one that tells as much about itself."""

    maxsize: int

    def qsize(self) -> int:
        """Return how much waits."""


def remaining_capacity_getter(queue: SizedQueue) -> Callable[[], int]:
    """Return a function that returns how much more a queue takes now; `sys.maxsize` if no end."""

    def remaining_capacity() -> int:
        if queue.maxsize <= 0:
            return sys.maxsize
        return max(0, queue.maxsize - queue.qsize())

    return remaining_capacity
