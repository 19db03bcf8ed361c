"""What waits of one kind of data: bounded, first in first out, handed out in batches.

A batch stays at the front until it is settled, so that one which failed keeps its place. A spool
on disk would take the place of this class.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

__all__ = ["BoundedBuffer", "KindCounts", "size_in_bytes"]


@dataclass(slots=True)
class KindCounts:
    """What became of the data of one kind; read without a lock, exact when idle.

    Attributes:
        valid: Taken into the buffer.
        invalid: Refused before, because no line could be made of them.
        dropped: Refused by a full or closed buffer, or left at the end.
        delivered: Taken by the receiver.
        rejected: Called bad by the receiver, one by one.
        errors: Requests that failed.
        statuses: Failed requests by HTTP status.
        last_success_s: Unix time of the last request that succeeded; 0.0 before the first.
    """

    valid: int = 0
    invalid: int = 0
    dropped: int = 0
    delivered: int = 0
    rejected: int = 0
    errors: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    last_success_s: float = 0.0


class BoundedBuffer:
    """A bounded queue whose front is looked at before it is taken. Its owner locks.

    Args:
        capacity: Data that fit.
        batch_size: Data of one batch at most.
        batch_bytes: Bytes of one batch at most, unless a single datum is larger.

    Attributes:
        accepted: How many data were ever taken in.
        settled: How many of them have left since, from the front on.
    """

    def __init__(self, capacity: int, batch_size: int, batch_bytes: int) -> None:
        self.capacity = capacity
        self.batch_size = batch_size
        self.batch_bytes = batch_bytes
        self.accepted = 0
        self.settled = 0
        self._data: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._data)

    @property
    def is_half_full(self) -> bool:
        """Whether half of what fits, and at least one datum, waits."""
        return 0 < len(self._data) * 2 >= self.capacity

    def offer(self, datum: str) -> bool:
        """Take a datum in; False when there is no room for it."""
        if len(self._data) >= self.capacity:
            return False
        self._data.append(datum)
        self.accepted += 1
        return True

    def front(self) -> list[str]:
        """Return the next batch, which stays where it is."""
        batch: list[str] = []
        total = 0
        for datum in self._data:
            total += size_in_bytes(datum)
            if batch and (total > self.batch_bytes or len(batch) >= self.batch_size):
                break
            batch.append(datum)
        return batch

    def settle(self, count: int) -> None:
        """Let go of so many data at the front."""
        for _ in range(count):
            self._data.popleft()
        self.settled += count

    def clear(self) -> int:
        """Let go of everything; return how many data that were."""
        count = len(self._data)
        self.settle(count)
        return count


def size_in_bytes(datum: str) -> int:
    """Return the length in UTF-8; free for ASCII, which most lines are."""
    return len(datum) if datum.isascii() else len(datum.encode("utf-8", "replace"))
