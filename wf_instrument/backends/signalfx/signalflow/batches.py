"""The parts of one logical time put together: each published stream sends one of its own.

Nothing is dropped: a part that comes when its time was handed out already is handed out by itself.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wf_instrument.backends.signalfx.signalflow.messages import DataMessage

__all__ = ["Batches"]

#: Of so many times handed out it is remembered how many parts they had.
_REMEMBERED: Final = 16


class Batches:
    """Merges data messages by their time.

    A time is handed out when a later one begins, when it has as many parts as the most of any
    before, or at the end.
    """

    def __init__(self) -> None:
        self._pending: dict[int, DataMessage] = {}
        self._parts: OrderedDict[int, int] = OrderedDict()
        self._most_parts = 0
        self._last_ms: int | None = None

    def add(self, part: DataMessage) -> Iterator[DataMessage]:
        """Take a part and yield what it completes, ascending by time."""
        at_ms = part.logical_timestamp_ms
        if at_ms is None:  # of no time, so of no batch
            yield part
            return
        self._parts[at_ms] = self._parts.get(at_ms, 0) + 1
        if self._last_ms is not None and at_ms <= self._last_ms:
            # Late. Now it is known that there are more of them.
            self._most_parts = max(self._most_parts, self._parts[at_ms])
            yield part
            return
        known = self._pending.get(at_ms)
        if known is None:
            self._pending[at_ms] = part
        else:
            known.add_data(part.data)
            known.max_delay_ms = part.max_delay_ms or known.max_delay_ms
        newest_ms = max(self._pending)
        yield from self._hand_out(newest_ms - 1)
        if 0 < self._most_parts <= self._parts[newest_ms]:
            yield from self._hand_out(newest_ms)

    def rest(self) -> Iterator[DataMessage]:
        """Yield what is left at the end."""
        if self._pending:
            yield from self._hand_out(max(self._pending))

    def drop(self) -> int | None:
        """Forget what is incomplete, since it will come again; return its earliest time."""
        earliest_ms = min(self._pending, default=None)
        for at_ms in self._pending:
            self._parts.pop(at_ms, None)
        self._pending.clear()
        return earliest_ms

    def _hand_out(self, up_to_ms: int) -> Iterator[DataMessage]:
        for at_ms in sorted(self._pending):
            if at_ms > up_to_ms:
                break
            self._most_parts = max(self._most_parts, self._parts[at_ms])
            self._last_ms = at_ms
            yield self._pending.pop(at_ms)
        while len(self._parts) > _REMEMBERED + len(self._pending):
            self._parts.popitem(last=False)
